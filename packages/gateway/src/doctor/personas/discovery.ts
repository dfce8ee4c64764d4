/** The second leg: from the challenge to an authorization server whose metadata the client can use. */
import { isLoopbackHost } from '../../loopback.ts';
import { type AuthorizationServerFacts, type Facts, lastOf, type ResourceMetadataFacts } from '../facts.ts';
import { isHttpUrl, issuersOf, objectOf } from '../probe/metadata.ts';
import { type KnownServer, list, told, words } from '../rules/observe.ts';
import { lackingMembers } from '../rules/required-members.ts';
import { quoted } from '../text.ts';
import { fails, type Leg, type Persona, unknown } from './persona.ts';

/** What it goes on with. */
export interface Found {
  readonly server: KnownServer;
  /** It knows the resource from the metadata, and sends it. */
  readonly withResource: boolean;
}

export function* discovery(facts: Facts, persona: Persona): Leg<Found> {
  const named = yield* authorizationServer(facts, persona);
  if (!named) return undefined;
  const { server, withResource } = named;
  const { metadata } = server;
  const { without } = persona.serverMetadata;
  const page = server.documents.find(({ fetched }) => isOther(fetched));
  if (page && persona.serverMetadata.stopsAtWebPage && isBefore(server, page.fetched.url)) {
    yield fails('discovery', `It takes 200 for found, and what is there is no JSON: ${told(lastOf(page.fetched))}.`);
    return undefined;
  }
  if (!metadata) {
    const asked = server.documents.map(({ fetched }) => told(lastOf(fetched))).join('; ') || quoted(server.issuer);
    if (without === 'stops') yield fails('discovery', `It finds no metadata of the authorization server: ${asked}.`);
    else yield unknown('discovery', `Without metadata of the authorization server (${asked}) ${guess(persona)}.`);
    return undefined;
  }
  const known = { ...server, metadata };
  yield* serverIsUsable(facts, known, persona);
  return { server: known, withResource };
}

function guess({ serverMetadata }: Persona): string {
  return serverMetadata.without === 'guesses'
    ? 'it guesses /authorize, /token and /register, which were not asked'
    : 'it is not known what it does';
}

interface Named {
  readonly server: AuthorizationServerFacts;
  readonly withResource: boolean;
}

/** What the documents of the resource say, as this client reads them. */
function* authorizationServer(facts: Facts, persona: Persona): Leg<Named> {
  const { resourceMetadata: places, typed } = facts;
  const { without, resource: wanted, perhapsRootOnly } = persona.resourceMetadata;
  if (places.length === 0) {
    yield unknown('discovery', 'The examination ended before the metadata was looked for.');
    return undefined;
  }
  const looked = lookedAt(places, persona);
  const used = looked.find(({ fetched }) => objectOf(fetched) !== undefined || isStop(persona, fetched));
  const document = used && objectOf(used.fetched);
  const saw = looked.map(({ fetched }) => told(lastOf(fetched))).join('; ');
  if (!document) return yield* withoutDocument(facts, persona, saw);
  const atOrigin = issuersOf(document)[0]?.replace(/\/$/, '') === originOf(facts);
  // Without a document it takes the origin for the authorization server, and that is where this one is.
  if (perhapsRootOnly && !atOrigin && !places.some(({ place, fetched }) => place === 'root' && objectOf(fetched))) {
    yield unknown('discovery', 'There are reports of it looking for the metadata at the root only, where none is.');
  }
  const { resource } = document;
  // The SDKs and VS Code leave a document aside that does not say whose it is.
  if (!isHttpUrl(resource) && without === 'origin' && wanted !== 'without-query') {
    return yield* withoutDocument(facts, persona, saw);
  }
  const fit = fits(resource, typed.url, wanted);
  const differs = `the metadata’s resource is ${quoted(String(resource), 150)}, and the URL ${quoted(typed.url, 150)}`;
  if (fit === 'no' && wanted === 'or-dropped') return yield* withoutDocument(facts, persona, differs);
  if (fit === 'no') {
    yield fails('discovery', `It refuses metadata that are for another URL: ${differs}.`);
    return undefined;
  }
  if (fit === 'unknown') yield unknown('discovery', `It may refuse the metadata: ${differs}.`);
  const [issuer] = issuersOf(document);
  if (issuer === undefined) {
    if (without === 'origin') return yield* withoutDocument(facts, persona, 'the metadata name no server');
    yield fails('discovery', 'It looks for authorization_servers in the metadata, and there are none.');
    return undefined;
  }
  const server = facts.authorizationServers.find((one) => one.issuer === issuer);
  if (server) return { server, withResource: true };
  yield unknown('discovery', `It uses the authorization server ${quoted(issuer)}, which was not examined.`);
  return undefined;
}

/** In its order. */
function lookedAt(places: readonly ResourceMetadataFacts[], { resourceMetadata }: Persona) {
  const named = places.filter(({ place }) => place === 'challenge');
  const looked = resourceMetadata.places === 'named' && named.length > 0 ? named : places;
  // Two places of one URL are asked once.
  return looked.filter(({ fetched }, at) => looked.findIndex((one) => one.fetched.url === fetched.url) === at);
}

/** 200 with something that is no JSON ends the search of the SDKs. */
function isStop({ serverMetadata }: Persona, fetched: ResourceMetadataFacts['fetched']): boolean {
  return serverMetadata.stopsAtWebPage === true && isOther(fetched);
}

function isOther(fetched: ResourceMetadataFacts['fetched']): boolean {
  return lastOf(fetched).answer?.status === 200 && objectOf(fetched) === undefined;
}

/** The MCP server's origin as authorization server, as in 2025-03-26. */
function* withoutDocument(facts: Facts, persona: Persona, saw: string): Leg<Named> {
  const { without } = persona.resourceMetadata;
  if (without === 'stops') {
    yield fails('discovery', `It needs the metadata of the resource: ${saw}.`);
    return undefined;
  }
  const origin = originOf(facts);
  const atOrigin = facts.authorizationServers.find(({ issuer }) => issuer.replace(/\/$/, '') === origin);
  if (without === 'unknown') {
    yield unknown('discovery', `It is not known what it does where it finds no metadata of the resource: ${saw}.`);
    return undefined;
  }
  if (atOrigin) return { server: atOrigin, withResource: false };
  yield unknown('discovery', `It finds no metadata of the resource (${saw}): ${originWords(origin, persona)}.`);
  return undefined;
}

function originOf({ endpoint, typed }: Facts): string {
  return new URL(endpoint?.url ?? typed.url).origin;
}

function originWords(origin: string, persona: Persona): string {
  const found = `then it takes ${origin} for the authorization server, of which no metadata were seen`;
  return persona.serverMetadata.without === 'guesses' ? `${found}, and ${guess(persona).slice(3)}` : found;
}

function fits(
  resource: unknown,
  typed: string,
  wanted: Persona['resourceMetadata']['resource'],
): 'yes' | 'no' | 'unknown' {
  if (resource === typed) return 'yes';
  if (!isHttpUrl(resource)) return wanted === 'unknown' ? 'unknown' : 'no';
  const [above, below] = [new URL(resource), new URL(typed)];
  switch (wanted) {
    case 'without-query':
      return resource === below.origin + below.pathname ? 'yes' : 'no';
    case 'or-dropped':
      return above.href === below.href ? 'yes' : 'no';
    case 'above':
      return isAbove(above, below) ? 'yes' : 'no';
    case 'unknown':
      return above.href === below.href ? 'yes' : 'unknown';
  }
}

/** As the SDKs compare: the same origin, and the typed path begins with the resource's, segment by segment. */
function isAbove(above: URL, below: URL): boolean {
  const slashed = (path: string) => (path.endsWith('/') ? path : `${path}/`);
  return (
    above.origin === below.origin &&
    above.pathname.length <= below.pathname.length &&
    slashed(below.pathname).startsWith(slashed(above.pathname))
  );
}

function isBefore({ documents, metadataUrl }: AuthorizationServerFacts, url: string): boolean {
  const order = documents.map(({ fetched }) => fetched.url);
  return metadataUrl === undefined || order.indexOf(url) < order.indexOf(metadataUrl);
}

function* serverIsUsable(facts: Facts, server: KnownServer, persona: Persona): Leg<never> {
  const { metadata, issuer, found } = server;
  const { runs, serverMetadata } = persona;
  const untrusted = facts.tls.find(
    ({ origin, fault }) => fault && isHttpUrl(issuer) && origin === new URL(issuer).origin,
  );
  if (untrusted && untrusted.origin !== originOf(facts)) {
    yield fails('discovery', `It refuses the authorization server’s certificate (${untrusted.fault?.code}).`);
  }
  const named = found === 'origin' ? `${issuer.replace(/\/$/, '')}/` : issuer;
  if (!isNamed(metadata.issuer, named, found === 'origin' ? 'or-slash' : serverMetadata.issuer)) {
    const differs = `${quoted(issuer)} was named, and the metadata say ${quoted(String(metadata.issuer))}`;
    if (serverMetadata.issuer === 'unknown') yield unknown('discovery', `It may compare the issuer: ${differs}.`);
    else if (serverMetadata.issuer !== 'ignored') yield fails('discovery', `It compares the issuer: ${differs}.`);
  }
  const methods = metadata.code_challenge_methods_supported;
  if (!words(methods).includes('S256')) {
    const { pkce } = serverMetadata;
    const announced = methods === undefined ? 'nothing' : list(words(methods)) || 'none';
    const reason = `It looks for S256 in code_challenge_methods_supported, where ${announced} is listed.`;
    if (pkce === 'needed' || (pkce === 'if-listed' && methods !== undefined)) yield fails('discovery', reason);
    else if (pkce === 'unknown') yield unknown('discovery', `Whether it goes on is not known. ${reason}`);
  }
  const lacking = ['authorization_endpoint', 'token_endpoint'].filter((name) => !isHttpUrl(metadata[name]));
  if (lacking.length > 0) yield fails('discovery', `It needs ${list(lacking)} in the metadata, as a whole URL.`);
  const absent = [...(metadata.issuer === undefined ? ['issuer'] : []), ...lackingMembers(server)];
  if (serverMetadata.wantsAllMembers && absent.length > 0) {
    yield fails(
      'discovery',
      `It refuses the metadata at ${quoted(server.metadataUrl ?? '', 150)}, which lack ${list(absent)}.`,
    );
  }
  const token = metadata.token_endpoint;
  const plain = isHttpUrl(token) && new URL(token).protocol === 'http:' && !isLoopbackHost(new URL(token).hostname);
  if (plain && (serverMetadata.refusesPlainHttp || runs === 'cloud')) {
    yield fails('token', `It sends nothing to a token endpoint on plain http: ${quoted(token)}.`);
  }
  return undefined;
}

function isNamed(issuer: unknown, named: string, how: Persona['serverMetadata']['issuer']): boolean {
  return issuer === named || (how === 'or-slash' && named.endsWith('/') && issuer === named.slice(0, -1));
}
