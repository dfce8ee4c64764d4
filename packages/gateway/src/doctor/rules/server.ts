import { type AuthorizationServerFacts, type Facts, lastOf } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { isHttpUrl, objectOf } from '../probe/metadata.ts';
import { quoted } from '../text.ts';
import { contentTypeOf, knownServers, list, ofServers, seen, told } from './observe.ts';

const discovery = 'MCP 2026-07-28, Authorization Server Discovery; RFC 8414 §3';

export const serverRules: Rules = [
  {
    id: 'server.missing',
    severity: 'fault',
    title: 'The authorization server’s metadata is not found',
    why: 'Clients do not learn where to register, to sign in and to get tokens.',
    spec: discovery,
    cure: 'Serve it at one of these places; /.well-known/oauth-authorization-server, with the issuer’s path behind it, is the first that every client tries.',
    check: ({ authorizationServers }) =>
      authorizationServers
        .filter(({ metadata }) => !metadata)
        .flatMap(({ issuer, documents }) =>
          seen(
            isHttpUrl(issuer)
              ? documents.map(({ fetched }) => told(lastOf(fetched))).join('; ')
              : `The issuer is no URL: ${quoted(issuer)}`,
          ),
        ),
  },
  {
    id: 'server.web-page',
    severity: 'fault',
    title: 'A well-known place of the authorization server answers 200 with something that is no JSON',
    why: 'Clients take 200 for “found”, fail to parse it and stop, instead of trying the next form.',
    spec: 'RFC 8414 §3.2',
    cure: 'A single-page application answers every unknown path with its page: exclude /.well-known/ from that, and answer 404 where there is nothing.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap(({ documents }) =>
        documents
          .map(({ fetched }) => fetched)
          .filter((fetched) => lastOf(fetched).answer?.status === 200 && objectOf(fetched) === undefined)
          .flatMap((fetched) => seen(told(lastOf(fetched)))),
      ),
  },
  {
    id: 'server.only-openid',
    severity: 'note',
    title: 'Only the OpenID Connect form of the metadata is there',
    why: 'Clients before 2025-11-25 know the form of RFC 8414 only.',
    spec: discovery,
    cure: 'Serve the same document at /.well-known/oauth-authorization-server.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap((server) =>
        seen(
          server.metadata &&
            !objectOfForm(server, 'oauth') &&
            (objectOfForm(server, 'openid') || !hasPath(server.issuer)) &&
            server.metadataUrl,
        ),
      ),
  },
  {
    id: 'server.only-appended',
    severity: 'warning',
    title: 'The metadata stands only below the issuer’s path',
    why: 'It is the last form that clients try, and older ones do not try it at all.',
    spec: discovery,
    cure: 'Serve it with the well-known part inserted before the path, too: https://host/.well-known/oauth-authorization-server/path.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap((server) =>
        seen(
          server.metadata &&
            hasPath(server.issuer) &&
            !objectOfForm(server, 'oauth') &&
            !objectOfForm(server, 'openid') &&
            server.metadataUrl,
        ),
      ),
  },
  {
    id: 'server.only-oauth',
    severity: 'note',
    title: 'Only the RFC 8414 form of the metadata is there',
    why: 'Programs that know OpenID Connect only (AgentCore’s authorizer, some gateways) do not find it.',
    spec: 'OpenID Connect Discovery 1.0 §4',
    cure: 'Serve the same document at /.well-known/openid-configuration.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap((server) =>
        seen(
          server.metadata &&
            !objectOfForm(server, 'openid') &&
            !objectOfForm(server, 'openid-appended') &&
            server.metadataUrl,
        ),
      ),
  },
  {
    id: 'server.content-type',
    severity: 'warning',
    title: 'The metadata of the authorization server is not sent as application/json',
    why: 'Careful clients do not parse it.',
    spec: 'RFC 8414 §3.2',
    cure: 'Send Content-Type: application/json.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap(({ documents }) =>
        documents
          .map(({ fetched }) => fetched)
          .filter((fetched) => objectOf(fetched) && contentTypeOf(lastOf(fetched).answer) !== 'application/json')
          .flatMap((fetched) => seen(told(lastOf(fetched)))),
      ),
  },
  {
    id: 'server.issuer',
    severity: 'fault',
    title: 'The issuer is not the one that was named',
    why: 'Clients must refuse: another server’s metadata is how codes are stolen. The SDK v2 and ChatGPT compare and stop, ChatGPT byte for byte, a slash at the end included; VS Code and the SDK v1 do not compare.',
    spec: 'RFC 8414 §3.3; MCP 2026-07-28, Authorization Server Discovery',
    cure: 'Write the same string in the resource’s authorization_servers and in the metadata’s issuer.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap(({ issuer, found, metadata }) =>
        seen(
          metadata &&
            // Without metadata of the resource nobody wrote an issuer: the origin has one spelling with a slash, one without.
            (found === 'origin' ? trimmed(metadata.issuer) !== trimmed(issuer) : metadata.issuer !== issuer) &&
            `Named: ${quoted(issuer)}; issuer: ${gist(metadata.issuer)}`,
        ),
      ),
  },
  {
    id: 'server.documents-differ',
    severity: 'warning',
    title: 'The forms of the metadata tell different things',
    why: 'What a client does depends on the form it tries first.',
    spec: discovery,
    cure: 'Serve one document under all names.',
    check: ({ authorizationServers }) =>
      authorizationServers.flatMap(({ documents }) => {
        const all = documents.flatMap(({ fetched }) => {
          const object = objectOf(fetched);
          return object ? [{ url: fetched.url, object }] : [];
        });
        const [first] = all;
        const differing =
          first &&
          comparedMembers.filter((name) => all.some(({ object }) => gist(object[name]) !== gist(first.object[name])));
        return seen(
          differing &&
            differing.length > 0 &&
            `${list(differing)} differ between ${all.map(({ url }) => url).join(' and ')}.`,
        );
      }),
  },
  {
    id: 'server.jwks-dead',
    severity: 'fault',
    title: 'The keys are not there',
    why: 'The MCP server cannot verify a token, and answers 401 or 500 to people who have signed in.',
    spec: 'RFC 8414 §2; RFC 7517 §5',
    cure: 'Serve {"keys": […]} at jwks_uri.',
    check: (facts) =>
      ofServers(facts, ({ jwks, metadata }) =>
        metadata.jwks_uri !== undefined && !(jwks && Array.isArray(objectOf(jwks)?.keys))
          ? jwks
            ? told(lastOf(jwks))
            : `jwks_uri is ${gist(metadata.jwks_uri)}.`
          : undefined,
      ),
  },
  {
    id: 'server.jwks-secret',
    severity: 'fault',
    title: 'It publishes a private key',
    why: 'Everybody can sign tokens that this server believes.',
    spec: 'RFC 7517 §9.2, §9.3',
    cure: 'Publish the public half only, and replace the key: it is known.',
    check: (facts) => ofKeys(facts, (key) => ['d', 'k', 'p', 'q'].some((member) => key[member] !== undefined)),
  },
  {
    id: 'server.jwks-weak',
    severity: 'warning',
    title: 'It publishes a weak key',
    why: 'Libraries refuse RSA below 2048 bits; RSA1_5 and SHA-1 are broken.',
    spec: 'RFC 7518 §3.3; RFC 8725 §3.2',
    cure: 'Use ES256, EdDSA, or RS256 with 2048 bits or more.',
    check: (facts) =>
      ofKeys(
        facts,
        (key) =>
          (key.kty === 'RSA' && typeof key.n === 'string' && Buffer.from(key.n, 'base64url').length < 256) ||
          key.alg === 'none' ||
          key.alg === 'RS1',
      ),
  },
];

const comparedMembers = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'jwks_uri',
  'code_challenge_methods_supported',
];

function ofKeys(facts: Facts, is: (key: Readonly<Record<string, unknown>>) => boolean) {
  return knownServers(facts).flatMap(({ jwks }) => {
    const keys = jwks ? (objectOf(jwks)?.keys as unknown) : undefined;
    const found = (Array.isArray(keys) ? keys : []).filter((key) => typeof key === 'object' && key !== null && is(key));
    return seen(
      found.length > 0 && found.map(({ kid, kty, alg }) => quoted(`${kty} ${alg ?? ''} ${kid ?? ''}`, 80)).join(', '),
    );
  });
}

function objectOfForm({ documents }: AuthorizationServerFacts, form: string): boolean {
  return documents.some((one) => one.form === form && objectOf(one.fetched) !== undefined);
}

function hasPath(issuer: string): boolean {
  return isHttpUrl(issuer) && new URL(issuer).pathname !== '/';
}

function trimmed(issuer: unknown): unknown {
  return typeof issuer === 'string' ? issuer.replace(/\/$/, '') : issuer;
}

function gist(value: unknown): string {
  return JSON.stringify(value) ?? 'absent';
}
