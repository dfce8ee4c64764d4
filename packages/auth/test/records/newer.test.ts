/** An instance of this release that meets what a newer one has stored: nobody loses anything by it (REL-07). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Row, readRows, writeRows } from '../../../records/test/released.ts';
import { authKinds } from '../../src/gatehouse.ts';
import { form, parsed, request } from '../harness.ts';
import { startWorld, type World } from './every-kind.ts';
import { releases } from './releases.ts';

const [, { rows, credentials }] = releases().at(-1) as ReturnType<typeof releases>[number];

let folder: string;
let world: World;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newer-'));
});
afterEach(async () => {
  await world.server.close();
  await world.records.close();
  await rm(folder, { recursive: true, force: true });
});

/** On a database in which records of one kind are of the version after this. */
async function meeting(kind: keyof typeof authKinds): Promise<readonly Row[]> {
  const file = join(folder, 'records.db');
  await startWorld(file).records.close();
  const { version = 1 } = authKinds[kind];
  const newer = rows.map((row) =>
    row.kind === kind ? { ...row, value: `v${version + 1} {"of":"a shape to come"}` } : row,
  );
  writeRows(file, newer);
  world = startWorld(file);
  return newer.filter((row) => row.kind === kind);
}

const stored = (kind: string) => readRows(join(folder, 'records.db')).filter((row) => row.kind === kind);

it.each(['grant', 'registeredClient', 'keySet', 'identitySession'] as const)(
  'a newer %s: the client is not told that its refresh token is worth nothing, and the record stays',
  async (kind) => {
    const { clientId, current } = credentials.refreshed;
    const newer = await meeting(kind);
    // Also the identity provider is due to be asked.
    world.clock.seconds += 3601;
    const reply = await world.server.handle(
      form('/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: current }),
    );
    expect(reply?.status).toBe(503);
    expect(parsed(reply).error).toBe('temporarily_unavailable');
    expect(stored(kind)).toEqual(newer);
    const said = JSON.stringify(world.events);
    expect(said, 'for the operator').toContain('was written by a newer release (version 2; this one knows 1)');
  },
);

it('a newer sign-in is still there when its person comes back: no callback takes it', async () => {
  const newer = await meeting('personSignIn');
  const { binding, cookies } = credentials.signingIn;
  world.identityProvider.started.push(binding);
  const person = world.browser();
  for (const [name, value] of cookies) person.cookies.set(name, value);
  const reply = await person.send(request(`/callback?code=idp-code&state=${binding.state}`));
  expect(reply.status).toBe(503);
  expect(stored('personSignIn')).toEqual(newer);
});
