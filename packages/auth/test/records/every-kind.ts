/** Real flows that leave a record of every kind, and what somebody must hold to go on with each of them. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { readRows } from '../../../records/test/released.ts';
import { recordSink } from '../../src/audit/audit-records.ts';
import { singleUse } from '../../src/authorization-server/single-use.ts';
import { type AuthRecords, authKinds, type HttpReply, kmsSecrets, rotateKeys } from '../../src/gatehouse.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import type { KmsClient } from '../../src/signers/kms-client.ts';
import { inside, options } from '../authorization-server/remembered-consent-setup.ts';
import {
  consented,
  fakeIdentityProvider,
  form,
  type Harness,
  issuer,
  parsed,
  pkce,
  redirectUri,
  registerClient,
  request,
  sameOrigin,
  secret,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';

/** When the records are made; all lifetimes count from here. */
export const madeAt = 1_800_000_000;

/** What a released gateway gave out, by the record behind it. Worth nothing outside of these tests. */
export interface Credentials {
  readonly unspent: { readonly fields: Readonly<Record<string, string>> };
  readonly refreshed: {
    readonly clientId: string;
    readonly first: string;
    readonly current: string;
    readonly accessToken: string;
  };
  readonly ended: { readonly clientId: string; readonly refreshToken: string };
  readonly pending: AtIdentityProvider & { readonly clientId: string; readonly verifier: string };
  readonly signingIn: AtIdentityProvider;
  readonly signedIn: { readonly cookies: Cookies };
  readonly remembered: { readonly cookies: Cookies };
  readonly dataKey: { readonly id: string; readonly secret: string };
}

type Cookies = ReadonlyArray<readonly [name: string, value: string]>;

/** A browser on its way; `binding` is what the identity provider was given. */
export interface AtIdentityProvider {
  readonly cookies: Cookies;
  readonly binding: ReturnType<typeof fakeIdentityProvider>['started'][number];
}

/** A gateway on this file: everything that stores something is switched on. */
export function startWorld(file: string) {
  const clock = { seconds: madeAt };
  const now = () => clock.seconds;
  const records = sqliteRecords<AuthRecords>({ kinds: authKinds, file, now });
  const asked: string[] = [];
  const identityProvider = Object.assign(fakeIdentityProvider(), {
    groups: ['staff'] as readonly string[],
    emailDomain: 'example.com',
    accessToken: { token: 'what-the-provider-gives-access-with', expiresIn: 3600 },
    session: 'what the identity provider gave' as string | undefined,
    async renew(session: string) {
      asked.push(session);
      const { emailDomain, accessToken } = identityProvider;
      return { groups: ['staff'], emailDomain, accessToken, session };
    },
  });
  const started = startHarness({
    ...options,
    resources: (options.resources ?? []).map((resource) => ({ ...resource, providerToken: true })),
    people: { groups: ['staff'], emailDomains: ['example.com'] },
    records,
    now,
    identityProvider,
    registration: 'stored',
    roles: { groups: { staff: ['editor'] }, roles: { editor: ['write:things'] } },
    audit: [recordSink({ records })],
  });
  return { ...started, records, clock, identityProvider, asked };
}

export type World = ReturnType<typeof startWorld>;

/** As much of a harness as its helpers need. */
export const asHarness = (world: World) => world as unknown as Harness;

/** A key management service with one key, the same in every process and release. */
const wrapping = Buffer.alloc(32, 7);
const additional = (context: object) => Buffer.from(JSON.stringify(context));
export const kms: Pick<KmsClient, 'generateDataKey' | 'decrypt'> = {
  async generateDataKey({ encryptionContext }) {
    const [plaintext, iv] = [randomBytes(32), randomBytes(12)];
    const cipher = createCipheriv('aes-256-gcm', wrapping, iv).setAAD(additional(encryptionContext));
    const ciphertext = Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return { plaintext, ciphertext };
  },
  async decrypt({ ciphertext, encryptionContext }) {
    const decipher = createDecipheriv('aes-256-gcm', wrapping, ciphertext.subarray(0, 12));
    decipher.setAAD(additional(encryptionContext)).setAuthTag(ciphertext.subarray(-16));
    return Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]);
  },
};

export const dataKeys = ({ records, clock }: World) =>
  kmsSecrets({ client: kms, keyId: 'alias/gatehouse', issuer, records, now: () => clock.seconds });

export const spentAssertion = ['client-assertion', 'a client', 'an assertion', madeAt + 3600] as const;

/** Makes the records; gives what was given out. */
export async function storeEveryKind(world: World): Promise<Credentials> {
  const harness = asHarness(world);
  const { records, clock, identityProvider, server } = world;

  const unspent = await withCode(harness, { token_endpoint_auth_method: 'client_secret_post' });
  const redeemed = await withTokens(harness);
  const second = parsed(await redeemed.refresh());
  const ended = await withTokens(harness);
  await ended.redeem();

  const { verifier, challenge } = pkce();
  const client = await registerClient(harness);
  const { person } = await consented(harness, client.client_id, challenge);
  const pending = { ...atIdentityProvider(world, person), clientId: client.client_id, verifier };

  const signing = await toSignIn(world);
  const signingIn = atIdentityProvider(world, signing);
  const signed = await toSignIn(world);
  await signed.send(request(`/callback?code=idp-code&state=${identityProvider.started.at(-1)?.state}`));

  const remembering = world.browser();
  await inside(harness).remember(remembering);
  // One on its way that is to be remembered, and one that stands on a remembered one.
  await inside(harness).answer(remembering, await inside(harness).ask(world.browser(), { prompt: 'consent' }));
  await inside(harness).ask(remembering);

  await singleUse(records, () => clock.seconds).spend(...spentAssertion);
  const [dataKey] = await dataKeys(world);
  await rotateKeys({ records, keyring: keyring(issuer, [secret]), now: clock.seconds });
  await server.flush();
  return {
    unspent: { fields: defined({ ...unspent.fields, redirect_uri: redirectUri }) },
    refreshed: {
      clientId: redeemed.client.client_id,
      first: redeemed.tokens.refresh_token,
      current: String(second.refresh_token),
      accessToken: String(second.access_token),
    },
    ended: { clientId: ended.client.client_id, refreshToken: ended.tokens.refresh_token },
    pending,
    signingIn,
    signedIn: { cookies: [...signed.cookies] },
    remembered: { cookies: [...remembering.cookies] },
    dataKey: { id: String(dataKey?.id), secret: Buffer.from(dataKey?.secret as Uint8Array).toString('hex') },
  };
}

/** The same on a new file, with what then stands in it. */
export async function rowsOfEveryKind(file: string) {
  const world = startWorld(file);
  const credentials = await storeEveryKind(world);
  await world.server.close();
  await world.records.close();
  return { credentials, rows: readRows(file) };
}

function defined(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

type Browser = ReturnType<World['browser']>;

function atIdentityProvider({ identityProvider }: World, { cookies }: Browser): AtIdentityProvider {
  const binding = identityProvider.started.at(-1);
  if (!binding) throw new Error('nobody was sent to the identity provider');
  return { cookies: [...cookies], binding };
}

/** A person who wants to see what they allowed, on their way to the identity provider. */
async function toSignIn(world: World): Promise<Browser> {
  const person = world.browser();
  await person.send(form('/connections/change', fieldsOf(await person.send(request('/connections'))), sameOrigin));
  return person;
}

function fieldsOf(page: HttpReply): Record<string, string> {
  const found = [...page.body.matchAll(/name="(\w+)" value="([^"]*)"/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value]));
}
