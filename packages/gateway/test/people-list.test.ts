/** The list of people who may come in: by user, by group, by the domain of a verified address; and how it ends for somebody who is taken off. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../src/serve.ts';
import { run } from './command.ts';
import { gatewayConfig } from './harness.ts';
import { type Person, type SettingsGateway, startSettingsGateway, type Tokens } from './settings-gateway.ts';
import { startTarget, type Target } from './target.ts';

const machineEnv = 'GATEHOUSE_TEST_PEOPLE_MACHINE';
process.env[machineEnv] = 'a-machine-s-own-secret-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-people-'));
const records = { type: 'sqlite' as const, file: join(folder, 'records.sqlite') };

let target: Target;
let gateway: SettingsGateway;
let resource: string;
/** Of the three people, before there was a list. */
let before: Record<Person, Tokens>;

const settings = (people?: ConfigInput['people']) => ({
  resources: [{ path: '/mcp', target: `${target.url}/mcp` }],
  records,
  clients: [{ id: 'machine', secret: { env: machineEnv }, grantTypes: ['client_credentials'] }],
  ...(people && { people }),
});

beforeAll(async () => {
  target = await startTarget();
  gateway = await startSettingsGateway(() => settings());
  resource = `${gateway.issuer}/mcp`;
  before = {
    ada: await gateway.tokens(resource, 'ada'),
    bob: await gateway.tokens(resource, 'bob'),
    eve: await gateway.tokens(resource, 'eve'),
  };
});
afterAll(async () => {
  await gateway?.close();
  await target?.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  gateway.events.length = 0;
  target.seen.length = 0;
});

const subject = ({ accessToken }: Tokens): string => decodeJwt(accessToken).sub ?? '';
const call = ({ accessToken }: Tokens) =>
  fetch(resource, { method: 'POST', headers: { authorization: `Bearer ${accessToken}` } });
const events = (name: string) => gateway.events.filter(({ event }) => event === name);

/** Starts with the list; who comes back to the client with a code, and who with an error. */
async function admitted(people: ConfigInput['people']): Promise<readonly string[]> {
  await gateway.restart(settings(people));
  const came: string[] = [];
  for (const person of ['ada', 'bob', 'eve'] as const) {
    const { parameters } = await gateway.signIn(resource, person);
    expect([parameters.get('state'), parameters.get('iss')]).toEqual(['the-state', gateway.issuer]);
    if (parameters.has('code')) came.push(person);
    else expect([parameters.get('error'), parameters.has('code')], person).toEqual(['access_denied', false]);
  }
  return came;
}

describe('at the sign-in', () => {
  it('without a list everybody is admitted', async () => {
    expect(await admitted(undefined)).toEqual(['ada', 'bob', 'eve']);
  });

  it('by user', async () => {
    expect(await admitted({ users: [subject(before.bob)] })).toEqual(['bob']);
  });

  it('by group at the identity provider', async () => {
    expect(await admitted({ groups: ['choir', 'staff'] })).toEqual(['ada']);
  });

  it('by the domain of an address, where it is verified', async () => {
    expect(await admitted({ emailDomains: ['staff.example'] })).toEqual(['ada']);
    expect(await admitted({ emailDomains: ['MAIL.guests.example'] })).toEqual(['bob']);
    expect(await admitted({ emailDomains: ['guests.example', 'il.guests.example', 'aff.example'] })).toEqual([]);
  });

  it('by a domain above it: below that, and not itself', async () => {
    expect(await admitted({ emailDomains: ['*.guests.example', '*.staff.example'] })).toEqual(['bob']);
  });

  it('one match of any kind is enough', async () => {
    const people = { users: [subject(before.eve)], groups: ['staff'], emailDomains: ['elsewhere.example'] };
    expect(await admitted(people)).toEqual(['ada', 'eve']);
  });

  it('the client is told in words that say nothing of the list, and the log who it was', async () => {
    await gateway.restart(settings({ groups: ['staff'] }));
    const { parameters } = await gateway.signIn(resource, 'bob');
    expect(parameters.get('error_description')).toBe('This person may not come in here; the operator keeps a list.');
    expect([...parameters.values()].join()).not.toMatch(/staff|bob|group/);
    expect(events('people.not_listed')).toEqual([
      expect.objectContaining({ person: subject(before.bob).slice(0, 8), resource, reason: 'people.not_listed' }),
    ]);
    expect(events('code.issued')).toEqual([]);
  });
});

describe('when the list gets shorter', () => {
  let ada: Tokens;
  let bob: Tokens;

  beforeEach(async () => {
    await gateway.restart(settings({ emailDomains: ['staff.example', 'mail.guests.example'] }));
    [ada, bob] = [await gateway.tokens(resource, 'ada'), await gateway.tokens(resource, 'bob')];
    await gateway.restart(settings({ emailDomains: ['staff.example'] }));
    gateway.events.length = 0;
  });

  it('who is off it is out at their next refresh, and who is on it notices nothing', async () => {
    expect((await call(bob)).status, 'until then').toBe(200);
    const refused = await gateway.refresh(bob);
    expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([400, 'invalid_grant']);
    expect((await gateway.refresh(ada)).status).toBe(200);
    expect((await call(ada)).status).toBe(200);
    expect(events('grant.not_listed')).toEqual([
      expect.objectContaining({ person: subject(bob).slice(0, 8), reason: 'people.not_listed' }),
    ]);
  });

  it('then their access tokens are worth nothing, nor is the refresh token once the list is long again', async () => {
    await gateway.refresh(bob);
    expect((await call(bob)).status).toBe(401);
    expect(target.seen).toEqual([]);
    await gateway.restart(settings());
    expect((await gateway.refresh(bob)).status).toBe(400);
    expect((await gateway.signIn(resource, 'bob')).parameters.has('code'), 'they may sign in again').toBe(true);
  });
});

it('a list that is new counts for those who came before it', async () => {
  await gateway.restart(settings({ users: [subject(before.ada)] }));
  expect((await gateway.refresh(before.eve)).status).toBe(400);
  expect((await gateway.refresh(before.ada)).status).toBe(200);
});

it('is about people: a machine that is configured comes in', async () => {
  await gateway.restart(settings({ users: [subject(before.ada)] }));
  const form = { grant_type: 'client_credentials', client_id: 'machine' };
  const body = new URLSearchParams({ ...form, client_secret: process.env[machineEnv] as string });
  const answer = await fetch(`${gateway.issuer}/token`, { method: 'POST', body });
  expect(answer.status).toBe(200);
  const { access_token: accessToken } = (await answer.json()) as { access_token: string };
  expect((await call({ accessToken, clientId: 'machine', refreshToken: '' })).status).toBe(200);
});

it('the audit trail has both: who was refused, and whose access ended', async () => {
  await gateway.restart(settings({ groups: ['staff'] }));
  await gateway.signIn(resource, 'eve');
  await gateway.restart(settings({ users: [subject(before.ada)] }));
  const file = join(folder, 'gatehouse.json');
  writeFileSync(file, JSON.stringify(gatewayConfig(gateway.port, settings().resources, { records })));
  const found = async (person: Person) => {
    const { code, stdout, stderr } = await run([
      'audit',
      '--config',
      file,
      '--json',
      `--person=${subject(before[person])}`,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const refused = { outcome: 'refused', details: expect.objectContaining({ reason: 'people.not_listed' }) };
  for (const [person, name] of [
    ['eve', 'people.not_listed'],
    ['bob', 'grant.not_listed'],
  ] as const) {
    expect((await found(person)).filter(({ event }) => event === name)).toContainEqual(
      expect.objectContaining(refused),
    );
  }
});

it('a list that means nothing stops the start, and says where', async () => {
  const start = (people: ConfigInput['people']) =>
    startSettingsGateway(() => ({ ...settings(people), records: { type: 'memory' } }));
  await expect(start({})).rejects.toThrow('people: names nobody');
  await expect(start({ users: ['ada'] })).rejects.toThrow('people.users[0]: "ada" is not the `sub` of a person');
  await expect(start({ emailDomains: ['ada@staff.example'] })).rejects.toThrow('people.emailDomains[0]');
});
