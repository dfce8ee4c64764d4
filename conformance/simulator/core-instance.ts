/**
 * An instance without its endpoints: the grant types, the revocation, the identity sessions and the guard's memory as they
 * are, with MACs and signatures that cost nothing, so that a million schedules fit into a minute.
 */
import { type Records, RecordsUnavailableError } from '@mcp-gatehouse/records';
import type { Client } from '../../packages/auth/src/authorization-server/clients/client.ts';
import { digest, readCredential } from '../../packages/auth/src/authorization-server/credential.ts';
import type { Grant } from '../../packages/auth/src/authorization-server/grant.ts';
import { credentialGrant } from '../../packages/auth/src/authorization-server/grant-types/credential-grant.ts';
import { identitySessions } from '../../packages/auth/src/authorization-server/identity-session.ts';
import { defaultLifetimes, type Parts } from '../../packages/auth/src/authorization-server/parts.ts';
import type { AuthRecords } from '../../packages/auth/src/authorization-server/records.ts';
import { revocation } from '../../packages/auth/src/authorization-server/revocation.ts';
import type { IdentityProvider } from '../../packages/auth/src/identity-providers/identity-provider.ts';
import { OAuthError } from '../../packages/auth/src/oauth/error.ts';
import { codeChallengeOf } from '../../packages/auth/src/oauth/pkce.ts';
import { grantStates } from '../../packages/auth/src/resource-server/grant-states.ts';
import type { Keyring } from '../../packages/auth/src/sealing/keyring.ts';
import type { Answer, Front } from './cluster.ts';

export const lifetimes = defaultLifetimes;

/** The reason by which a failed signature is told from a failed database. */
export const signerAway = 'simulated.signer_away';

/** The text is its own MAC: nobody forges anything here. */
export const openKeyring: Keyring = {
  issuer: 'https://auth.example',
  currentKeyId: 'k1',
  mac: (purpose, data) => macText(`${purpose} ${data}`),
  verifyMac: (purpose, data, mac) => mac === macText(`${purpose} ${data}`),
  seal: (context, plaintext) => `k1.${context}|${plaintext}`,
  open: (context, sealed) => (sealed.startsWith(`k1.${context}|`) ? sealed.slice(context.length + 4) : undefined),
  opened(context, sealed) {
    const text = openKeyring.open(context, sealed);
    return text === undefined ? undefined : { text, stale: false };
  },
};

function macText(text: string): string {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0;
  return hash.toString(36).padStart(43, '0');
}

const client: Client = {
  id: 'client',
  source: 'registered',
  redirectUris: ['http://127.0.0.1/callback'],
  grantTypes: ['authorization_code', 'refresh_token'],
  authMethods: ['none'],
  proven: false,
};
const otherClient: Client = { ...client, id: 'another client' };
const clientDigest = digest(client.id);
const resource = {
  uri: 'https://auth.example/mcp',
  name: 'Simulated',
  scopes: { read: 'read' },
  defaultScope: ['read'],
};

const verifier = 'v'.repeat(43);
const codeChallenge = codeChallengeOf(verifier);
const rightVerifier = new Map([['code_verifier', verifier]]);
const wrongVerifier = new Map([['code_verifier', 'w'.repeat(43)]]);
const noParameters = new Map<string, string>();

export const grantId = 'g'.repeat(22);

/** As the callback stores it. */
export function newGrant(now: number, sessionDueAt: number | undefined): Grant {
  return {
    clientDigest,
    subject: 'subject',
    identity: { issuer: 'https://idp.example', subject: 'person' },
    scope: ['read'],
    resource: resource.uri,
    redirectUri: 'http://127.0.0.1/callback',
    codeChallenge,
    createdAt: now,
    codeExpiresAt: now + lifetimes.codeSeconds,
    generation: 0,
    advancedAt: now,
    graceReplays: 0,
    ...(sessionDueAt !== undefined && { sessionDueAt }),
  };
}

export interface CoreInstanceOptions {
  readonly records: Records<AuthRecords>;
  readonly now: () => number;
  readonly identityProvider: Pick<IdentityProvider, 'renew' | 'end'>;
  /** A name that no access token had before. */
  readonly serial: () => number;
  /** The signature's way to its service and back. */
  readonly sign: <T>(give: () => T) => Promise<T>;
  /** Whether sessions of the identity provider hang on grants. */
  readonly sessions: boolean;
}

export function coreInstance({ records, now, identityProvider, serial, sign, sessions }: CoreInstanceOptions): Front {
  const states = grantStates({
    read: async (id) => {
      const stored = await records.get('grant', id);
      return stored !== undefined && stored.value.endedAt === undefined;
    },
    now,
    freshSeconds: 5,
    staleSeconds: 60,
    size: 100,
  });
  const log = (): void => {};
  const grantEnded = states.ended;
  const shared = {
    records,
    keyring: openKeyring,
    identityProvider: identityProvider as IdentityProvider,
    lifetimes,
    grantEnded,
    background: (): void => {},
    log,
    now,
  };
  const used: Partial<Parts> = { ...shared, resources: [resource], sessions: identitySessions(shared) };
  const parts = used as Parts;
  const endGrant = revocation({
    records,
    lifetimes,
    log,
    now,
    grantEnded,
    ...(sessions && { endSession: parts.sessions.end }),
  });
  const redeem = credentialGrant(parts, 'authorization-code');
  const rotate = credentialGrant(parts, 'refresh-token');

  /** As the token endpoint does: one time for the whole request, signed when the grant type says so. */
  async function token(grantType: typeof redeem, text: string, by: Client, parameters: ReadonlyMap<string, string>) {
    const time = now();
    const { accessToken, refreshToken } = await grantType(text, by, parameters as never, time, ({ grantId: id }) =>
      sign(() => `access.${id}.${time + lifetimes.accessTokenSeconds}.${serial()}`),
    );
    return { status: 200, ...(accessToken && { accessToken }), ...(refreshToken && { refreshToken }) };
  }

  return {
    redeem: (code, wrong) => answered(token(redeem, code, client, wrong ? wrongVerifier : rightVerifier)),
    refresh: (text, wrong) => answered(token(rotate, text, wrong ? otherClient : client, noParameters)),
    revoke: (text) => answered(revoke(text)),
    call: (text) => answered(call(text)),
  };

  async function revoke(text: string): Promise<Answer> {
    const credential = readCredential(openKeyring, 'refresh-token', text);
    const [, id, expiresAt] = text.split('.');
    // As the endpoint: an access token past its time is none, and that is no fault.
    if (!credential && !(text.startsWith('access.') && now() < Number(expiresAt))) return { status: 200 };
    await endGrant(credential?.grantId ?? (id as string), 'client', (grant) => grant.clientDigest === clientDigest);
    return { status: 200 };
  }

  async function call(text: string): Promise<Answer> {
    const [, id = '', expiresAt] = text.split('.');
    if (now() >= Number(expiresAt) + 5) return { status: 401 };
    try {
      return { status: (await states(id)) ? 200 : 401 };
    } catch {
      return { status: 503 };
    }
  }
}

/** As the route table shows it. */
async function answered(work: Promise<Answer>): Promise<Answer> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OAuthError) {
      const { status, code, reason } = error;
      return { status, error: code, ...(reason === signerAway && { unspent: true }) };
    }
    return { status: error instanceof RecordsUnavailableError ? 503 : 500 };
  }
}
