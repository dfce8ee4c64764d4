/** The resource's metadata: whether it is found, and says what the person typed (RFC 9728). */
import { bearerParameter } from '../challenge.ts';
import { type Facts, lastOf, type ResourceMetadataPlace } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { redirectOf } from '../probe/http.ts';
import { isHttpUrl, objectOf } from '../probe/metadata.ts';
import { quoted } from '../text.ts';
import {
  asksForToken,
  contentTypeOf,
  firstAnswer,
  hasResourceMetadata,
  knownServers,
  list,
  seen,
  told,
  usedResourceMetadata,
  words,
} from './observe.ts';

export const resourceRules: Rules = [
  {
    id: 'resource.missing',
    severity: 'fault',
    title: 'There is no metadata of the resource',
    why: 'No client finds the authorization server.',
    spec: 'RFC 9728 §3; MCP 2026-07-28, Authorization Server Discovery',
    cure: 'Serve JSON with resource and authorization_servers at /.well-known/oauth-protected-resource followed by the MCP path, and name that URL in the challenge. Behind a CDN: /.well-known/* needs a route to the server.',
    check: (facts) =>
      seen(expectsMetadata(facts) && !hasResourceMetadata(facts) && knownServers(facts).length === 0 && places(facts)),
  },
  {
    id: 'resource.legacy',
    severity: 'warning',
    title: 'The MCP server is its own authorization server, as in 2025-03-26',
    why: 'VS Code and the SDKs then take the origin for the authorization server, as older clients did, and send no resource. ChatGPT looks for metadata of the resource and stops.',
    spec: 'RFC 9728; MCP 2025-06-18, “Authorization Server Location”',
    cure: 'Serve /.well-known/oauth-protected-resource, too.',
    check: (facts) =>
      seen(expectsMetadata(facts) && !hasResourceMetadata(facts) && knownServers(facts).length > 0 && places(facts)),
  },
  {
    id: 'resource.challenge-url-dead',
    severity: 'fault',
    title: 'The URL that the challenge names has no metadata',
    why: 'It is where every client looks first. VS Code and the SDKs look nowhere else: they then take the origin for the authorization server, which it seldom is.',
    spec: 'RFC 9728 §5.1',
    cure: 'Serve it there, or name the URL where it is.',
    check: (facts) =>
      seen(hasResourceMetadata(facts) && at(facts, 'challenge')?.object === undefined && at(facts, 'challenge')?.told),
  },
  {
    id: 'resource.path-missing',
    severity: 'warning',
    title: 'There is no metadata at the path-inserted place',
    why: 'Clients that lost the challenge look there first: /.well-known/oauth-protected-resource followed by the MCP path.',
    spec: 'RFC 9728 §3.1',
    cure: 'Serve the same document there.',
    check: (facts) => missingAt(facts, 'path'),
  },
  {
    id: 'resource.root-missing',
    severity: 'note',
    title: 'There is no metadata at the root',
    why: 'Claude Code and the SDK v2 client look there when the challenge does not help.',
    spec: 'MCP 2026-07-28, Authorization Server Discovery',
    cure: 'Serve the same document at /.well-known/oauth-protected-resource, too.',
    check: (facts) => missingAt(facts, 'root'),
  },
  {
    id: 'resource.web-page',
    severity: 'fault',
    title: 'A well-known place answers 200 with something that is no JSON',
    why: 'Clients take 200 for “found”, fail to parse it and stop, instead of looking at the next place.',
    spec: 'RFC 9728 §3.2',
    cure: 'A single-page application answers every unknown path with its page: exclude /.well-known/ from that, and answer 404 where there is nothing.',
    check: (facts) =>
      found(facts)
        .filter(({ answer, object }) => answer?.status === 200 && object === undefined)
        .flatMap(({ told: saw }) => seen(saw)),
  },
  {
    id: 'resource.guarded',
    severity: 'fault',
    title: 'The metadata itself needs a token',
    why: 'It is what a client without a token must be able to read.',
    spec: 'RFC 9728 §3',
    cure: 'Take /.well-known/ out of the authentication, in the server and in what stands before it.',
    check: (facts) =>
      found(facts)
        .filter(({ answer }) => answer?.status === 401 || answer?.status === 403)
        .flatMap(({ told: saw }) => seen(saw)),
  },
  {
    id: 'resource.content-type',
    severity: 'warning',
    title: 'The metadata is not sent as application/json',
    why: 'Careful clients do not parse it.',
    spec: 'RFC 9728 §3.2',
    cure: 'Send Content-Type: application/json. A file without an ending in a bucket has none by itself.',
    check: (facts) =>
      found(facts)
        .filter(({ answer, object }) => object && contentTypeOf(answer) !== 'application/json')
        .flatMap(({ told: saw }) => seen(saw)),
  },
  {
    id: 'resource.redirected',
    severity: 'warning',
    title: 'The metadata is behind a redirect',
    why: 'Clients that follow none of the discovery’s redirects, for their own safety, find nothing.',
    spec: 'RFC 9728 §3.2',
    cure: 'Answer 200 at the place itself.',
    check: ({ resourceMetadata }) =>
      distinct(resourceMetadata)
        .filter(({ fetched }) => fetched.hops.length > 1)
        .flatMap(({ fetched: { url, hops } }) => seen(`GET ${url} → ${redirectOf(hops[0] ?? lastOf({ url, hops }))}`)),
  },
  {
    id: 'resource.no-resource',
    severity: 'fault',
    title: 'The metadata does not say whose it is',
    why: 'Clients cannot tell that it is this server’s. The SDKs and VS Code leave it aside, and take the origin for the authorization server.',
    spec: 'RFC 9728 §2, §3.3',
    cure: 'Set resource to the URL of the MCP endpoint, exactly as people type it.',
    check: (facts) => {
      const used = usedResourceMetadata(facts);
      return seen(used && !isHttpUrl(used.resource) && `resource is ${JSON.stringify(used.resource) ?? 'absent'}.`);
    },
  },
  {
    id: 'resource.mismatch',
    severity: 'fault',
    title: 'The metadata is for another URL',
    why: 'The SDKs and Gemini CLI compare it with what was typed and refuse, Gemini CLI to the last character: somebody else’s metadata is how tokens are stolen. VS Code drops the document and goes on without it, with the origin for the authorization server. One report (anthropics/claude-code#69917) says that Claude.ai connects; tokens are then for the other URL.',
    spec: 'RFC 9728 §3.3; RFC 8707 §2',
    cure: 'Set the server’s public URL (not its inner host or port), or give out the URL that it names.',
    check: (facts) => mismatch(facts, false),
  },
  {
    id: 'resource.parent',
    severity: 'warning',
    title: 'The metadata is for a URL above the typed one',
    why: 'The SDKs accept a resource that the typed URL lies below. Gemini CLI refuses it, and VS Code drops the document and goes on without it.',
    spec: 'RFC 9728 §3.3',
    cure: 'Set resource to the URL of the MCP endpoint itself.',
    check: (facts) => mismatch(facts, true),
  },
  {
    id: 'resource.no-servers',
    severity: 'fault',
    title: 'The metadata names no authorization server',
    why: 'ChatGPT and others do not know where to sign in. VS Code and the SDKs take the origin for the authorization server.',
    spec: 'RFC 9728 §2; MCP 2026-07-28, Authorization Server Discovery',
    cure: 'List the issuer in authorization_servers, exactly as the authorization server writes it.',
    check: (facts) => {
      const used = usedResourceMetadata(facts);
      return seen(
        used &&
          words(used.authorization_servers).length === 0 &&
          `authorization_servers is ${JSON.stringify(used.authorization_servers) ?? 'absent'}.`,
      );
    },
  },
  {
    id: 'resource.several-servers',
    severity: 'note',
    title: 'The metadata names several authorization servers',
    why: 'Claude and the SDKs use the first, whatever the others can do.',
    spec: 'RFC 9728 §2',
    cure: 'Put the one that all clients should use first.',
    check: (facts) => {
      const servers = words(usedResourceMetadata(facts)?.authorization_servers);
      return seen(servers.length > 1 && list(servers.slice(0, 5)));
    },
  },
  {
    id: 'resource.offline-access',
    severity: 'warning',
    title: 'The metadata lists offline_access',
    why: 'Clients that got no scope in the challenge ask for all that is listed, and some may not have it.',
    spec: 'MCP 2026-07-28, Authorization, “Refresh Tokens” (SEP-2207)',
    cure: 'Take it out; list it in the authorization server’s scopes_supported.',
    check: (facts) => {
      const scopes = words(usedResourceMetadata(facts)?.scopes_supported);
      return seen(scopes.includes('offline_access') && `scopes_supported: ${list(scopes)}`);
    },
  },
  {
    id: 'resource.no-scopes',
    severity: 'note',
    title: 'Neither the metadata nor the challenge names a scope',
    why: 'Clients ask for none, and get what the authorization server thinks fit: nothing at some (Entra, Cognito).',
    spec: 'MCP 2026-07-28, Authorization, “Scope Selection Strategy”',
    cure: 'List in scopes_supported what basic use needs.',
    check: (facts) => {
      const used = usedResourceMetadata(facts);
      const challenged = bearerParameter(firstAnswer(facts), 'scope');
      return seen(
        used &&
          challenged === undefined &&
          words(used.scopes_supported).length === 0 &&
          'There is no scopes_supported.',
      );
    },
  },
  {
    id: 'resource.documents-differ',
    severity: 'warning',
    title: 'The places tell different things',
    why: 'Which authorization server or resource a client takes depends on where it looks.',
    spec: 'RFC 9728 §3.1',
    cure: 'Serve one document at all places. Several MCP servers on one origin: the root can only be one of theirs.',
    check: (facts) => {
      const all = found(facts).flatMap(({ url, object }) => (object ? [{ url, object }] : []));
      const [first] = all;
      const other = first && all.find(({ object }) => gist(object) !== gist(first.object));
      return seen(first && other && `${first.url}: ${gist(first.object)}; ${other.url}: ${gist(other.object)}`);
    },
  },
];

/** A server that lets everybody in and says nothing of OAuth owes no metadata, nor does one that is not there. */
function expectsMetadata(facts: Facts): boolean {
  return asksForToken(facts) && facts.resourceMetadata.length > 0;
}

function found({ resourceMetadata }: Facts) {
  return distinct(resourceMetadata).map(({ place, fetched }) => {
    const last = lastOf(fetched);
    return { place, url: fetched.url, answer: last.answer, object: objectOf(fetched), told: told(last) };
  });
}

/** Two places of one URL are looked at once. */
function distinct(found: Facts['resourceMetadata']): Facts['resourceMetadata'] {
  return found.filter(({ fetched }, at) => found.findIndex((one) => one.fetched.url === fetched.url) === at);
}

function at(facts: Facts, place: ResourceMetadataPlace) {
  return found(facts).find((one) => one.place === place);
}

/** 404 and the like; what is there but wrong is told by others. The place that the challenge names is one of its own. */
function missingAt(facts: Facts, place: ResourceMetadataPlace): readonly Observation[] {
  const there = at(facts, place);
  const status = there?.answer?.status ?? 0;
  return seen(there && hasResourceMetadata(facts) && ![200, 401, 403].includes(status) && there.told);
}

function places(facts: Facts): string {
  return found(facts)
    .map(({ told: saw }) => saw)
    .join('; ');
}

function mismatch(facts: Facts, parent: boolean): readonly Observation[] {
  const resource = usedResourceMetadata(facts)?.resource;
  const { typed, endpoint } = facts;
  if (!isHttpUrl(resource) || !endpoint) return [];
  // `new URL` gives a bare origin its slash, in clients as here; nothing else is equal that is not the same.
  const same = (url: string) =>
    url === resource || (new URL(url).pathname === '/' && new URL(url).href === new URL(resource).href);
  if (same(typed.url) || same(endpoint.url) || isParent(resource, endpoint.url) !== parent) return [];
  const slash = resource.replace(/\/$/, '') === typed.url.replace(/\/$/, '');
  return [
    {
      saw: `Typed: ${typed.url}; resource: ${quoted(resource)}`,
      ...(slash && {
        cure: `Only the slash at the end differs: give out ${quoted(resource)}, or name the URL without it.`,
      }),
    },
  ];
}

/** As the SDK has it: the same origin, and the typed path begins with the resource's. */
function isParent(resource: string, url: string): boolean {
  const [above, below] = [new URL(resource), new URL(url)];
  const slashed = (path: string) => (path.endsWith('/') ? path : `${path}/`);
  return (
    above.origin === below.origin &&
    slashed(below.pathname) !== slashed(above.pathname) &&
    slashed(below.pathname).startsWith(slashed(above.pathname))
  );
}

function gist(metadata: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ resource: metadata.resource, authorization_servers: metadata.authorization_servers });
}
