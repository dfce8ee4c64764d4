/** What an earlier release stored still works: each of its records is read, and whoever holds a credential goes on with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Row, textOf, writeRows } from '../../../records/test/released.ts';
import { readAudit } from '../../src/audit/audit-records.ts';
import { singleUse } from '../../src/authorization-server/single-use.ts';
import { authKinds, isReply } from '../../src/gatehouse.ts';
import { inside, outcome } from '../authorization-server/remembered-consent-setup.ts';
import { form, issuer, parsed, request, resource } from '../harness.ts';
import {
  type AtIdentityProvider,
  asHarness,
  type Credentials,
  dataKeys,
  madeAt,
  spentAssertion,
  startWorld,
  type World,
} from './every-kind.ts';
import { type AuthRelease, releases } from './releases.ts';

let folder: string;
let world: World;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'released-'));
});
afterEach(async () => {
  await world.server.close();
  await world.records.close();
  await rm(folder, { recursive: true, force: true });
});

/** This release, on the database of that one. */
async function onDatabaseOf({ rows }: AuthRelease): Promise<void> {
  const file = join(folder, 'records.db');
  await startWorld(file).records.close();
  writeRows(file, rows);
  world = startWorld(file);
}

function browserWith(cookies: AtIdentityProvider['cookies']) {
  const person = world.browser();
  for (const [name, value] of cookies) person.cookies.set(name, value);
  return person;
}

/** The identity provider sends the browser back; it was given this state and nonce, and takes no others. */
async function sentBack({ cookies, binding }: AtIdentityProvider) {
  world.identityProvider.started.push(binding);
  const person = browserWith(cookies);
  return { person, reply: await person.send(request(`/callback?code=idp-code&state=${binding.state}`)) };
}

const refresh = ({ clientId, refreshToken }: Credentials['ended']) =>
  world.server.handle(
    form('/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }),
  );

describe.each(releases())('what the release of fixture %s stored', (_, release) => {
  const { credentials, rows } = release;

  beforeEach(() => onDatabaseOf(release));

  it('holds every kind, and each record is read', async () => {
    const kinds = Object.keys(authKinds) as (keyof typeof authKinds)[];
    const known = kinds.filter((kind) => kind in release.shapes);
    expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(known));
    for (const kind of known) {
      const { items } = await world.records.list(kind, { limit: 1000 });
      expect(items.length, kind).toBe(rows.filter((row) => row.kind === kind).length);
      expect(items.length, kind).toBeGreaterThan(0);
    }
  });

  it('an authorization code is redeemed, by the client that was registered, once', async () => {
    const { fields } = credentials.unspent;
    const wrong = await world.server.handle(form('/token', { ...fields, client_secret: 'another' }));
    expect(parsed(wrong).error).toBe('invalid_client');
    const redeemed = await world.server.handle(form('/token', fields));
    expect(parsed(redeemed)).toMatchObject({ token_type: 'Bearer', scope: 'read write' });
    expect(parsed(await world.server.handle(form('/token', fields))).error).toBe('invalid_grant');
  });

  it('a refresh token goes on, its predecessor is answered alike, and an older one ends the grant', async () => {
    const { clientId, first, current } = credentials.refreshed;
    expect(parsed(await refresh({ clientId, refreshToken: first })).refresh_token).toBe(current);
    const next = String(parsed(await refresh({ clientId, refreshToken: current })).refresh_token);
    expect(parsed(await refresh({ clientId, refreshToken: first })).error).toBe('invalid_grant');
    expect(parsed(await refresh({ clientId, refreshToken: next })).error).toBe('invalid_grant');
  });

  it('a grant that had ended is ended', async () => {
    expect(parsed(await refresh(credentials.ended)).error).toBe('invalid_grant');
    expect(world.events.at(-1)?.reason).toBe('grant.ended');
  });

  it('the identity provider is asked with the session it gave', async () => {
    const { clientId, current } = credentials.refreshed;
    world.clock.seconds = madeAt + 3601;
    expect((await refresh({ clientId, refreshToken: current }))?.status).toBe(200);
    expect(world.asked).toEqual(['what the identity provider gave']);
  });

  it('an access token is verified by the key that signed it, and after the rotation the next key signs', async () => {
    const { clientId, current, accessToken } = credentials.refreshed;
    const guard = world.server.guard(resource);
    const token = await guard({ authorization: `Bearer ${accessToken}` });
    expect(isReply(token) ? token.body : token.scope).toEqual(['read', 'write']);
    const keyOf = (text: unknown) =>
      JSON.parse(Buffer.from(String(text).split('.')[0] ?? '', 'base64url').toString()).kid;
    const keySet = JSON.parse(textOf(rows.find(({ kind }) => kind === 'keySet') as Row).json);
    expect(keyOf(accessToken)).toBe(keySet.current);
    world.clock.seconds = keySet.next.signsFrom;
    const renewed = parsed(await refresh({ clientId, refreshToken: current }));
    expect(keyOf(renewed.access_token)).toBe(keySet.next.kid);
  });

  it('a person on their way to the identity provider comes back with a code, in their browser and once', async () => {
    const { pending } = credentials;
    const stranger = await sentBack({ ...pending, cookies: [] });
    expect(stranger.reply.status).toBe(400);
    const { reply } = await sentBack(pending);
    const back = new URL(String(reply.headers.location));
    expect(back.searchParams.get('state'), 'which was sealed').toBe('client-state');
    const tokens = await world.server.handle(
      form('/token', {
        grant_type: 'authorization_code',
        client_id: pending.clientId,
        code: back.searchParams.get('code') ?? '',
        code_verifier: pending.verifier,
      }),
    );
    expect(tokens?.status).toBe(200);
    expect((await sentBack(pending)).reply.headers.location).toBeUndefined();
  });

  it('a person who is signed in, or about to be, sees what they allowed', async () => {
    const look = request('/connections');
    expect((await browserWith(credentials.signedIn.cookies).send(look)).body).toContain('Test client');
    const { person, reply } = await sentBack(credentials.signingIn);
    expect(reply.headers.location).toBe(`${issuer}/connections`);
    expect((await person.send(look)).body).toContain('Test client');
  });

  it('a remembered consent is remembered', async () => {
    const { ask } = inside(asHarness(world));
    expect(outcome(await ask(world.browser()))).toBe('asked');
    expect(outcome(await ask(browserWith(credentials.remembered.cookies)))).toBe('unasked');
  });

  it('what was spent is spent, data keys open what they sealed, and the trail is there', async () => {
    expect(await singleUse(world.records, () => madeAt).spend(...spentAssertion)).toBe(false);
    const [key] = await dataKeys(world);
    const secret = Buffer.from(key?.secret as Uint8Array).toString('hex');
    expect({ id: key?.id, secret }).toEqual(credentials.dataKey);
    const { events } = await readAudit(world.records, { since: madeAt, until: madeAt + 1, limit: 1000 });
    expect(events.map(({ event }) => event)).toContain('token.issued');
    expect(events.length).toBe(rows.filter(({ kind }) => kind === 'auditEvent').length);
  });
});
