/** The authorization endpoint: requests that must go on to a sign-in, and requests that must not. Nobody signs in. */
import { createHash, randomBytes } from 'node:crypto';
import type { AuthorizeFacts, DocumentClientFacts } from '../facts.ts';
import type { Ask, Asker } from './http.ts';

/** What the requests are about: as the resource's metadata and its challenge say. */
export interface Wanted {
  readonly resource: string;
  readonly scope: string | undefined;
}

export const sentState = 'gatehouse-doctor-state';
const redirectPath = '/gatehouse-doctor/callback';
const registeredPort = 33418;
/** Of the client that is registered as a program on somebody's computer. */
export const redirectUris = [
  `http://127.0.0.1:${registeredPort}${redirectPath}`,
  `http://localhost:${registeredPort}${redirectPath}`,
] as const;
/** Reserved for nobody, ever (RFC 6761 §6.4). */
const strangeRedirectUri = 'https://gatehouse-doctor.invalid/callback';
const strangeResource = 'https://gatehouse-doctor.invalid/mcp';

/**
 * What clients publish of themselves; the server fetches it, not the doctor. Where a document has no port the program takes a
 * free one. Codex is left out: which loopback host its document lists is not known, and a wrong guess would blame the server.
 */
export const documentClients: ReadonlyArray<Omit<DocumentClientFacts, 'exchange'>> = [
  {
    client: 'claude',
    clientId: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
    redirectUri: 'https://claude.ai/api/mcp/auth_callback',
  },
  {
    client: 'claude-code',
    clientId: 'https://claude.ai/oauth/claude-code-client-metadata',
    redirectUri: 'http://localhost:50505/callback',
  },
  {
    client: 'chatgpt',
    clientId: 'https://chatgpt.com/oauth/client.json',
    redirectUri: 'https://chatgpt.com/connector_platform_oauth_redirect',
  },
  {
    client: 'vscode',
    clientId: 'https://vscode.dev/oauth/client-metadata.json',
    redirectUri: 'http://127.0.0.1:33418/',
  },
  {
    client: 'zed',
    clientId: 'https://zed.dev/oauth/client-metadata.json',
    redirectUri: 'http://127.0.0.1:50505/callback',
  },
  {
    client: 'opencode',
    clientId: 'https://opencode.ai/oauth/opencode/client.json',
    redirectUri: 'http://127.0.0.1:50505/callback',
  },
];

export async function probeAuthorize(
  asker: Asker,
  endpoint: string,
  clientId: string,
  wanted: Wanted,
): Promise<AuthorizeFacts> {
  const ask = (changes: Readonly<Record<string, string | undefined>>) =>
    asker.ask(request(endpoint, wanted, { client_id: clientId, redirect_uri: redirectUris[0], ...changes }));
  const otherPorts: Array<AuthorizeFacts['otherPorts'][number]> = [];
  const first = await ask({});
  const withoutPkce = await ask({ code_challenge: undefined, code_challenge_method: undefined });
  for (const registered of redirectUris) {
    const redirectUri = registered.replace(`:${registeredPort}/`, ':50505/');
    otherPorts.push({ redirectUri, exchange: await ask({ redirect_uri: redirectUri }) });
  }
  return {
    redirectUri: redirectUris[0],
    asClientsDo: first,
    withoutPkce,
    otherPorts,
    strangeRedirect: {
      redirectUri: strangeRedirectUri,
      exchange: await ask({ redirect_uri: strangeRedirectUri }),
    },
    strangeResource: await ask({ resource: strangeResource }),
  };
}

export async function probeDocumentClients(
  asker: Asker,
  endpoint: string,
  wanted: Wanted,
): Promise<readonly DocumentClientFacts[]> {
  const seen: DocumentClientFacts[] = [];
  for (const one of documentClients) {
    const changes = { client_id: one.clientId, redirect_uri: one.redirectUri };
    seen.push({ ...one, exchange: await asker.ask(request(endpoint, wanted, changes)) });
  }
  return seen;
}

/** As clients send it, with changes; undefined takes a parameter away. */
function request(
  endpoint: string,
  { resource, scope }: Wanted,
  changes: Readonly<Record<string, string | undefined>>,
): Ask {
  const parameters = {
    response_type: 'code',
    state: sentState,
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    resource,
    scope,
    ...changes,
  };
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return { url: url.href, headers: { accept: 'text/html' } };
}
