/** Discovery: the resource's metadata (RFC 9728) and each authorization server's (RFC 8414, OpenID Connect Discovery). */
import { bearerParameter } from '../challenge.ts';
import {
  type AuthorizationServerFacts,
  type EndpointFacts,
  type Fetched,
  lastOf,
  type ResourceMetadataFacts,
  type ResourceMetadataPlace,
  type ServerMetadataForm,
} from '../facts.ts';
import { fromPageOf, preflightOf } from './endpoint.ts';
import type { Asker } from './http.ts';
import { isObject } from './json.ts';

/** How many of the authorization servers that a resource names are looked at; clients use the first. */
export const maxServers = 3;

/** As the SDK sends it with every document it asks for. */
const discoveryHeaders = { 'mcp-protocol-version': '2025-11-25' };

export async function probeResourceMetadata(
  asker: Asker,
  endpoint: EndpointFacts,
): Promise<readonly ResourceMetadataFacts[]> {
  const asked = new Map<string, Omit<ResourceMetadataFacts, 'place'>>();
  const found: ResourceMetadataFacts[] = [];
  for (const [place, url] of placesOf(endpoint)) {
    const before = asked.get(url);
    const seen = before ?? (await document(asker, url));
    asked.set(url, seen);
    found.push({ place, ...seen });
  }
  return found;
}

export function placesOf({ initialize, url }: EndpointFacts): ReadonlyArray<readonly [ResourceMetadataPlace, string]> {
  const { origin, pathname, search } = new URL(url);
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
  const named = bearerParameter(lastOf(initialize).answer, 'resource_metadata');
  // Clients leave out a slash at the end, as RFC 9728 §3.1 has it for one that stands alone.
  const path = pathname.replace(/\/$/, '');
  return [
    ...(isHttpUrl(named) ? [['challenge', named] as const] : []),
    ...(path === '' ? [] : [['path', wellKnown + path + search] as const]),
    ['root', wellKnown],
  ];
}

/** What clients use: the first document that is one. */
export function resourceMetadataOf(
  found: readonly ResourceMetadataFacts[],
): Readonly<Record<string, unknown>> | undefined {
  return found.map(({ fetched }) => objectOf(fetched)).find((metadata) => metadata !== undefined);
}

/** A 200 with a JSON object. */
export function objectOf(fetched: Fetched): Readonly<Record<string, unknown>> | undefined {
  const { answer } = lastOf(fetched);
  return answer?.status === 200 && isObject(answer.json) ? answer.json : undefined;
}

export function issuersOf(metadata: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  const listed = metadata?.authorization_servers;
  return Array.isArray(listed) ? listed.filter((issuer): issuer is string => typeof issuer === 'string') : [];
}

/** The documents of one issuer; endpoints are asked by others. */
export async function probeServerMetadata(
  asker: Asker,
  issuer: string,
  found: AuthorizationServerFacts['found'],
): Promise<Omit<AuthorizationServerFacts, 'registrations' | 'documentClients'>> {
  const documents: Array<{ form: ServerMetadataForm; fetched: Fetched }> = [];
  for (const [form, url] of formsOf(issuer)) {
    documents.push({ form, fetched: await asker.fetch(url, discoveryHeaders) });
  }
  const used = documents.find(({ fetched }) => objectOf(fetched) !== undefined)?.fetched;
  const metadata = used && objectOf(used);
  if (!used || !metadata) return { issuer, found, documents };
  const jwks = metadata.jwks_uri;
  return {
    issuer,
    found,
    documents,
    metadata,
    metadataUrl: used.url,
    preflight: await asker.ask(preflightOf(used.url, 'GET', ['mcp-protocol-version'])),
    fromPage: await asker.ask(fromPageOf(used.url)),
    ...(isHttpUrl(jwks) && { jwks: await asker.fetch(jwks) }),
  };
}

/** In the order of MCP 2026-07-28, "Authorization Server Discovery". */
export function formsOf(issuer: string): ReadonlyArray<readonly [ServerMetadataForm, string]> {
  if (!isHttpUrl(issuer)) return [];
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    ['oauth', `${origin}/.well-known/oauth-authorization-server${path}`],
    ['openid', `${origin}/.well-known/openid-configuration${path}`],
    ...(path === '' ? [] : [['openid-appended', `${origin}${path}/.well-known/openid-configuration`] as const]),
  ];
}

export function isHttpUrl(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value);
}

async function document(asker: Asker, url: string): Promise<Omit<ResourceMetadataFacts, 'place'>> {
  const fetched = await asker.fetch(url, discoveryHeaders);
  if (objectOf(fetched) === undefined) return { fetched };
  const preflight = await asker.ask(preflightOf(url, 'GET', ['mcp-protocol-version']));
  return { fetched, preflight, fromPage: await asker.ask(fromPageOf(url)) };
}
