/** How a persona finds its way from the MCP endpoint's URL to the authorization server, and what it checks on it. */
import { expect } from 'vitest';
import type { Discovery, Persona, ResourceMetadataPlace, ServerMetadataPlace } from './persona.ts';

export interface ServerMetadata {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
  readonly revocation_endpoint: string;
  readonly scopes_supported: readonly string[];
  readonly token_endpoint_auth_methods_supported: readonly string[];
  readonly code_challenge_methods_supported: readonly string[];
  readonly client_id_metadata_document_supported?: boolean;
  readonly authorization_response_iss_parameter_supported?: boolean;
}

export interface Discovered {
  /** As the resource's metadata names it. */
  readonly resource: string;
  readonly server: ServerMetadata;
  /** Scope of the challenge. */
  readonly challengeScope: string;
}

export const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'persona', version: '1' } },
};

export async function discover(persona: Persona, mcp: string): Promise<Discovered> {
  const { discovery } = persona;
  const refused = await firstRequest(persona, mcp);
  // 401 and nothing else: on a 200 it would think that the server is open, on a 403 that nothing can be done.
  expect(refused.status).toBe(401);
  const header = refused.headers.get('www-authenticate') ?? '';
  expect(header).toMatch(/^Bearer /);
  expect(header).not.toContain('error=');
  const challenge = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(header)?.[1];

  const resourceMetadata = (await firstOf(
    discovery.resourceMetadata.map((place) => resourceMetadataUrl(place, mcp, challenge('resource_metadata'))),
    discovery,
  )) as { resource: string; authorization_servers: string[]; scopes_supported: string[] };
  // The URL that the person typed, or somebody else's metadata (RFC 9728 §3.3; VS Code says so to its user).
  expect(resourceMetadata.resource).toBe(mcp);
  expect(resourceMetadata.scopes_supported).not.toContain('offline_access');

  const [issuer = ''] = resourceMetadata.authorization_servers;
  const server = (await firstOf(
    discovery.serverMetadata.map((place) => serverMetadataUrl(place, issuer)),
    discovery,
  )) as ServerMetadata;
  expect(server.issuer).toBe(issuer);
  expect(issuer.endsWith('/')).toBe(false);
  expect(server.code_challenge_methods_supported).toContain('S256');
  return { resource: resourceMetadata.resource, server, challengeScope: challenge('scope') ?? '' };
}

async function firstRequest({ discovery, opensStream }: Persona, mcp: string): Promise<Response> {
  if (opensStream === 'before-sign-in') {
    return fetch(mcp, { headers: { accept: 'text/event-stream' } });
  }
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  await preflight(mcp, 'POST', Object.keys(headers), discovery);
  return fetch(mcp, {
    method: 'POST',
    headers: { ...headers, ...originOf(discovery) },
    body: JSON.stringify(initialize),
  });
}

/** The first of the places that has a document. */
async function firstOf(urls: ReadonlyArray<string | undefined>, discovery: Discovery): Promise<unknown> {
  const headers = {
    accept: 'application/json',
    ...(discovery.protocolVersion !== undefined && { 'mcp-protocol-version': discovery.protocolVersion }),
  };
  for (const url of urls) {
    if (url === undefined) continue;
    await preflight(url, 'GET', Object.keys(headers), discovery);
    const response = await fetch(url, { headers: { ...headers, ...originOf(discovery) } });
    if (response.status !== 200) {
      await response.body?.cancel();
      continue;
    }
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    if (discovery.browserOrigin !== undefined) readableFromAnywhere(response);
    return response.json();
  }
  throw new Error(`found nothing at ${urls.join(', ')}`);
}

export function resourceMetadataUrl(place: ResourceMetadataPlace, mcp: string, named?: string): string | undefined {
  const { origin, pathname } = new URL(mcp);
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
  if (place === 'challenge') return named;
  return place === 'root' || pathname === '/' ? wellKnown : wellKnown + pathname;
}

export function serverMetadataUrl(place: ServerMetadataPlace, issuer: string): string {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname;
  if (place === 'openid-appended') return `${origin}${path}/.well-known/openid-configuration`;
  const name = place === 'oauth' ? 'oauth-authorization-server' : 'openid-configuration';
  return `${origin}/.well-known/${name}${path}`;
}

/** What a browser asks before it sends a page's request (Fetch, "CORS-preflight"); nothing for a program. */
export async function preflight(
  url: string,
  method: string,
  headers: readonly string[],
  { browserOrigin }: Pick<Discovery, 'browserOrigin'>,
): Promise<void> {
  if (browserOrigin === undefined) return;
  const asked = headers.filter((name) => name !== 'accept').join(',');
  const response = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin: browserOrigin,
      'access-control-request-method': method,
      ...(asked !== '' && { 'access-control-request-headers': asked }),
    },
  });
  expect(response.ok, `preflight of ${url}: ${response.status}`).toBe(true);
  readableFromAnywhere(response);
  const allowed = (response.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/, */);
  for (const name of asked === '' ? [] : asked.split(',')) expect(allowed).toContain(name);
}

export function readableFromAnywhere(response: Response): void {
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  // Beside `*` a browser would refuse it.
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
}

export function originOf({ browserOrigin }: Discovery): Record<string, string> {
  return browserOrigin === undefined ? {} : { origin: browserOrigin };
}
