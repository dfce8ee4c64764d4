/** Registration and the token endpoint, asked as clients ask; the authorization endpoint is asked by authorize.ts. */
import { randomBytes } from 'node:crypto';
import type { AuthorizationServerFacts, Exchange, RegistrationFacts, TokenFacts } from '../facts.ts';
import { probeAuthorize, probeDocumentClients, redirectUris, type Wanted } from './authorize.ts';
import { preflightOf } from './endpoint.ts';
import type { Ask, Asker } from './http.ts';
import { isObject } from './json.ts';
import { isHttpUrl } from './metadata.ts';

export type Authorization = Pick<AuthorizationServerFacts, 'registrations' | 'authorize' | 'documentClients' | 'token'>;

const common = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
};

const bodies = {
  native: { client_name: 'gatehouse doctor', redirect_uris: redirectUris, ...common, application_type: 'native' },
  // What Cursor sends, all three at once: a server that refuses one of them refuses the client.
  cursor: {
    client_name: 'gatehouse doctor, in the place of Cursor',
    redirect_uris: [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'http://localhost:8787/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
    ],
    ...common,
  },
  hosted: {
    client_name: 'gatehouse doctor, in the place of Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    ...common,
  },
} as const;

export async function probeAuthorization(
  asker: Asker,
  metadata: Readonly<Record<string, unknown>>,
  wanted: Wanted,
  register: boolean,
): Promise<Authorization> {
  const attempts: Attempt[] = [];
  const endpoint = metadata.registration_endpoint;
  if (register && isHttpUrl(endpoint)) {
    for (const purpose of ['native', 'cursor', 'hosted'] as const)
      attempts.push(await attempt(asker, endpoint, purpose));
  }
  const clientId = attempts.find(({ facts }) => facts.purpose === 'native')?.facts.clientId;
  const { authorization_endpoint: authorizeUrl, token_endpoint: tokenUrl } = metadata;
  const authorize =
    clientId !== undefined && isHttpUrl(authorizeUrl)
      ? await probeAuthorize(asker, authorizeUrl, clientId, wanted)
      : undefined;
  const announced = metadata.client_id_metadata_document_supported === true;
  const documentClients =
    announced && isHttpUrl(authorizeUrl) ? await probeDocumentClients(asker, authorizeUrl, wanted) : [];
  const token = isHttpUrl(tokenUrl) ? await probeToken(asker, tokenUrl, clientId, wanted) : undefined;
  const registrations: RegistrationFacts[] = [];
  for (const { facts, remove } of attempts) {
    const deleted = remove && (await asker.ask(remove));
    registrations.push({ ...facts, ...(deleted && { deleted }) });
  }
  return { registrations, documentClients, ...(authorize && { authorize }), ...(token && { token }) };
}

interface Attempt {
  readonly facts: RegistrationFacts;
  /** RFC 7592 §2.3. */
  readonly remove?: Ask;
}

async function attempt(asker: Asker, endpoint: string, purpose: RegistrationFacts['purpose']): Promise<Attempt> {
  const sent = bodies[purpose];
  const exchange = await asker.ask({
    url: endpoint,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(sent),
  });
  const { answer } = exchange;
  const made = answer && answer.status < 300 && isObject(answer.json) ? answer.json : {};
  const { client_id: clientId, registration_client_uri: uri, registration_access_token: token } = made;
  const facts = {
    purpose,
    sent,
    exchange: withoutSecrets(exchange),
    ...(typeof clientId === 'string' && clientId !== '' && { clientId }),
  };
  // Nobody else's server gets the token, whatever the answer says.
  const own = isHttpUrl(uri) && new URL(uri).origin === new URL(endpoint).origin;
  if (!own || typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return { facts };
  return {
    facts,
    remove: { url: uri, method: 'DELETE', secretHeaders: { authorization: `Bearer ${token}` } },
  };
}

const secretMembers = ['client_secret', 'registration_access_token', 'access_token', 'refresh_token', 'id_token'];

/** Facts go into reports: what the answer gave us to hold is not in them. */
function withoutSecrets(exchange: Exchange): Exchange {
  const { answer } = exchange;
  if (!answer || answer.status >= 300) return exchange;
  if (!isObject(answer.json)) return { ...exchange, answer: { ...answer, body: '' } };
  const json = { ...answer.json };
  for (const name of secretMembers) if (name in json) json[name] = '…';
  return { ...exchange, answer: { ...answer, json, body: JSON.stringify(json) } };
}

async function probeToken(
  asker: Asker,
  endpoint: string,
  clientId: string | undefined,
  { resource }: Wanted,
): Promise<TokenFacts> {
  const post = async (fields: Readonly<Record<string, string>>) =>
    withoutSecrets(
      await asker.ask({
        url: endpoint,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({ ...fields, resource }).toString(),
      }),
    );
  const code = {
    grant_type: 'authorization_code',
    code: 'gatehouse-doctor-wrong-code',
    redirect_uri: redirectUris[0],
    code_verifier: randomBytes(32).toString('base64url'),
  };
  const ofClient =
    clientId === undefined
      ? {}
      : {
          wrongCode: await post({ ...code, client_id: clientId }),
          wrongRefreshToken: await post({
            grant_type: 'refresh_token',
            refresh_token: 'gatehouse-doctor-wrong-refresh-token',
            client_id: clientId,
          }),
        };
  return {
    ...ofClient,
    unknownClient: await post({ ...code, client_id: 'gatehouse-doctor-unknown-client' }),
    preflight: await asker.ask(preflightOf(endpoint, 'POST', [])),
  };
}
