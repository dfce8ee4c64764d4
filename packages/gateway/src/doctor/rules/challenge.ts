/** The challenge of the 401, and what a wrong token gets (RFC 6750 §3, RFC 9728 §5.1). */
import { bearerOf, bearerParameter, challengesOf, renamedChallenge } from '../challenge.ts';
import { type Exchange, type Facts, headerOf, headersOf } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { isHttpUrl } from '../probe/metadata.ts';
import { quoted } from '../text.ts';
import { asksForToken, firstAnswer, hasChallenge, isRenamed, seen, told } from './observe.ts';

export const challengeRules: Rules = [
  {
    id: 'challenge.renamed',
    severity: 'fault',
    title: 'A front door renamed WWW-Authenticate',
    why: 'Claude.ai never learns where to sign in; the SDKs find the metadata by guessing its place, but lose the scope, and every later challenge that asks for more scope.',
    spec: 'RFC 9110 §11.6.1; RFC 9728 §5.1',
    cure: 'Lambda Function URLs and API Gateway do this to every answer of a function. Let something before them answer the request without a token: a CloudFront Function (viewer request), or a GatewayResponse of a REST API. A load balancer (ALB) in their place leaves the header alone.',
    check: (facts) =>
      guarded(
        facts,
        (answer) => isRenamed(answer) && `x-amzn-remapped-www-authenticate: ${quoted(renamedChallenge(answer) ?? '')}`,
      ),
  },
  {
    id: 'challenge.missing',
    severity: 'fault',
    title: 'The 401 has no WWW-Authenticate',
    why: 'Claude.ai never learns where to sign in; other clients guess the place of the metadata, and lose the scope.',
    spec: 'RFC 9110 §15.5.2; RFC 6750 §3; MCP 2026-07-28, Authorization Server Discovery',
    cure: 'Send WWW-Authenticate: Bearer scope="…", resource_metadata="https://…/.well-known/oauth-protected-resource/…". If the server does, something before it takes the header off.',
    check: (facts) =>
      guarded(
        facts,
        (answer) =>
          headerOf(answer, 'www-authenticate') === undefined && !isRenamed(answer) && '401 without the header.',
      ),
  },
  {
    id: 'challenge.malformed',
    severity: 'warning',
    title: 'The challenge cannot be read to its end',
    why: 'Clients that parse it take the header for absent; those that search it for words may find the wrong ones.',
    spec: 'RFC 9110 §11.6.1',
    cure: 'Values are quoted unless they are plain words, parameters are separated by commas: Bearer scope="a b", resource_metadata="https://…".',
    check: (facts) =>
      guarded(facts, (answer) => {
        const { unreadable } = challengesOf(answer);
        return unreadable !== undefined && `It cannot be read from ${quoted(unreadable, 120)} on.`;
      }),
  },
  {
    id: 'challenge.not-bearer',
    severity: 'fault',
    title: 'It does not challenge for a bearer token',
    why: 'Clients know Bearer; on Basic or Negotiate they ask for nothing and give up.',
    spec: 'RFC 6750 §3; MCP 2026-07-28, Authorization, “Token Requirements”',
    cure: 'Answer with WWW-Authenticate: Bearer …. A Basic challenge is often the password of a web server before it.',
    check: (facts) =>
      guarded(
        facts,
        (answer) =>
          hasChallenge(answer) &&
          !bearerOf(answer) &&
          challengesOf(answer).unreadable === undefined &&
          `WWW-Authenticate: ${quoted(headerOf(answer, 'www-authenticate') ?? '')}`,
      ),
  },
  {
    id: 'challenge.several',
    severity: 'warning',
    title: 'It challenges more than once',
    why: 'Many clients read the first challenge only, or search all of them as one text: which one wins differs.',
    spec: 'RFC 9110 §11.6.1',
    cure: 'Send one header with one Bearer challenge. Two often mean that the server and something before it both ask.',
    check: (facts) =>
      guarded(
        facts,
        (answer) =>
          challengesOf(answer).challenges.length > 1 &&
          bearerOf(answer) &&
          headersOf(answer, 'www-authenticate')
            .map((value) => quoted(value))
            .join(', '),
      ),
  },
  {
    id: 'challenge.no-resource-metadata',
    severity: 'warning',
    title: 'The challenge does not say where the metadata is',
    why: 'Clients have to guess: the SDKs look at the path and at the root, Claude Code at the root.',
    spec: 'RFC 9728 §5.1; MCP 2026-07-28, Authorization Server Discovery',
    cure: 'Add resource_metadata="https://…/.well-known/oauth-protected-resource/…" to the challenge.',
    check: (facts) =>
      guarded(
        facts,
        (answer) =>
          bearerOf(answer) &&
          bearerParameter(answer, 'resource_metadata') === undefined &&
          `WWW-Authenticate: ${quoted(headerOf(answer, 'www-authenticate') ?? '')}`,
      ),
  },
  {
    id: 'challenge.resource-metadata-form',
    severity: 'fault',
    title: 'The challenge’s resource_metadata is no absolute URL',
    why: 'Claude.ai refuses it, and does not say so (anthropics/claude-ai-mcp#136). The SDKs ignore it and look at the well-known places.',
    spec: 'RFC 9728 §5.1',
    cure: 'Write the whole URL, with https and the public host.',
    check: (facts) =>
      guarded(facts, (answer) => {
        const named = bearerParameter(answer, 'resource_metadata');
        return named !== undefined && !isHttpUrl(named) && `resource_metadata=${quoted(named)}`;
      }),
  },
  {
    id: 'challenge.resource-metadata-elsewhere',
    severity: 'warning',
    title: 'The challenge names metadata on another origin',
    why: 'Clients that look at the origin only (Claude Code) do not find it, and careful ones do not believe it. Often it is the server’s inner name.',
    spec: 'RFC 9728 §3.3, §7.3',
    cure: 'Tell the server its public URL, and serve the metadata there.',
    check: (facts) =>
      guarded(facts, (answer) => {
        const named = bearerParameter(answer, 'resource_metadata');
        const elsewhere = isHttpUrl(named) && new URL(named).origin !== new URL(facts.endpoint?.url ?? '').origin;
        return elsewhere && `resource_metadata=${quoted(named)}`;
      }),
  },
  {
    id: 'challenge.error-without-token',
    severity: 'note',
    title: 'The challenge has an error although no token was sent',
    why: 'error="invalid_token" tells a client that its token is bad: some throw tokens away on it that they have.',
    spec: 'RFC 6750 §3.1; OAuth 2.1 §5.3.2',
    cure: 'Leave error out where the request brought no credentials.',
    check: (facts) => guarded(facts, (answer) => parameter(bearerParameter(answer, 'error'), 'error')),
  },
  {
    id: 'challenge.no-scope',
    severity: 'note',
    title: 'The challenge does not say which scope is needed',
    why: 'Clients then ask for every scope that the metadata lists.',
    spec: 'MCP 2026-07-28, Authorization, “Scope Selection Strategy”',
    cure: 'Add scope="…" with what basic use needs.',
    check: (facts) =>
      guarded(
        facts,
        (answer) => bearerOf(answer) && bearerParameter(answer, 'scope') === undefined && 'No scope in the challenge.',
      ),
  },
  {
    id: 'challenge.offline-access',
    severity: 'warning',
    title: 'The challenge asks for offline_access',
    why: 'Whether a client wants refresh tokens is its own affair; one that may not have them is refused for the whole scope.',
    spec: 'MCP 2026-07-28, Authorization, “Refresh Tokens” (SEP-2207)',
    cure: 'Take it out of the challenge; list it in the authorization server’s scopes_supported.',
    check: (facts) =>
      guarded(facts, (answer) => {
        const scope = bearerParameter(answer, 'scope');
        return scope?.split(' ').includes('offline_access') && `scope=${quoted(scope)}`;
      }),
  },
  {
    id: 'challenge.silent-body',
    severity: 'note',
    title: 'The 401 says nothing in its body',
    why: 'Where a front door renames or drops the header, the body is all that a client or a person has.',
    spec: 'RFC 9110 §15.5.2',
    cure: 'Repeat error, error_description and resource_metadata in a JSON body.',
    check: (facts) => guarded(facts, (answer) => answer.bytes === 0 && 'The body is empty.'),
  },
  {
    id: 'challenge.get',
    severity: 'warning',
    title: 'GET without a token is neither refused nor unknown',
    why: 'mcp-remote looks with GET before it signs in, SDK v1 opens its stream with it. They expect 401, or 405 where there is no stream.',
    spec: 'MCP 2025-11-25, Transports, “Listening for Messages from the Server”; MCP 2026-07-28, Streamable HTTP',
    cure: 'Guard every method of the MCP path, and answer 405 to those that it does not have.',
    check: (facts) =>
      seen(
        asksForToken(facts) &&
          facts.endpoint &&
          ![401, 405].includes(facts.endpoint.get.answer?.status ?? 0) &&
          told(facts.endpoint.get),
      ),
  },
  {
    id: 'challenge.modern',
    severity: 'fault',
    title: 'Clients of 2026-07-28 are not asked for a token',
    why: 'They begin with server/discover and get another answer than 401: they do not sign in.',
    spec: 'MCP 2026-07-28, Authorization, “Error Handling”',
    cure: 'Check the token before the method, the version and the session: an unknown method is the business of those who have a token.',
    check: (facts) =>
      seen(
        asksForToken(facts) &&
          facts.endpoint &&
          facts.endpoint.discover.answer?.status !== 401 &&
          `server/discover: ${told(facts.endpoint.discover)}`,
      ),
  },
  {
    id: 'challenge.wrong-token-accepted',
    severity: 'fault',
    title: 'It takes any token',
    why: 'A token that nobody issued was let in: everybody is.',
    spec: 'RFC 6750 §2.1; MCP 2026-07-28, Authorization, “Token Handling”',
    cure: 'Verify signature, issuer, audience and expiry of every token. At an API gateway: is the authorizer on this route?',
    check: (facts) => wrongToken(facts, ({ answer }) => answer !== undefined && answer.status < 300),
  },
  {
    id: 'challenge.wrong-token-status',
    severity: 'fault',
    title: 'A wrong or expired token does not get 401',
    why: 'Clients renew a token on 401 only. When theirs expires, the connection is dead until somebody removes and adds the server.',
    spec: 'RFC 6750 §3.1; MCP 2026-07-28, Authorization, “Error Handling”',
    cure: 'Answer 401 with error="invalid_token". API Gateway’s authorizers answer 403 unless a GatewayResponse says otherwise.',
    check: (facts) =>
      wrongToken(facts, ({ answer }) => answer !== undefined && answer.status >= 300 && answer.status !== 401),
  },
  {
    id: 'challenge.wrong-token-error',
    severity: 'warning',
    title: 'A wrong token is not called that',
    why: 'Without error="invalid_token" and resource_metadata a client cannot tell an expired token from a missing one, and may loop.',
    spec: 'RFC 6750 §3, §3.1; RFC 9728 §5.1',
    cure: 'Send WWW-Authenticate: Bearer error="invalid_token", resource_metadata="…" where a token was sent and is no good.',
    check: (facts) => {
      const { wrongToken: refused } = facts.endpoint ?? {};
      const answer = refused?.answer;
      const lost =
        bearerParameter(answer, 'error') !== 'invalid_token' ||
        (bearerParameter(answer, 'resource_metadata') === undefined &&
          bearerParameter(firstAnswer(facts), 'resource_metadata') !== undefined);
      // Where the first challenge is missing or renamed, this one is for the same reason.
      return seen(
        asksForToken(facts) &&
          hasChallenge(firstAnswer(facts)) &&
          answer?.status === 401 &&
          lost &&
          `WWW-Authenticate: ${quoted(headerOf(answer, 'www-authenticate') ?? '(none)')}`,
      );
    },
  },
  {
    id: 'challenge.token-in-query',
    severity: 'warning',
    title: 'It reads tokens in the query',
    why: 'URLs are logged everywhere; whoever reads one log has the token.',
    spec: 'RFC 9700 §4.3.2; MCP 2026-07-28, Authorization, “Token Requirements”',
    cure: 'Read the Authorization header only.',
    check: (facts) => {
      const { tokenInQuery } = facts.endpoint ?? {};
      const read =
        tokenInQuery?.answer &&
        (tokenInQuery.answer.status < 300 ||
          (bearerParameter(tokenInQuery.answer, 'error') === 'invalid_token' &&
            bearerParameter(firstAnswer(facts), 'error') === undefined));
      return seen(
        asksForToken(facts) &&
          read &&
          'A wrong token in access_token was looked at: the answer differs from that without one.',
      );
    },
  },
];

type Told = string | boolean | undefined | object;

function guarded(
  facts: Facts,
  say: (answer: NonNullable<ReturnType<typeof firstAnswer>>) => Told,
): readonly Observation[] {
  const answer = firstAnswer(facts);
  const saw = answer?.status === 401 && say(answer);
  return seen(typeof saw === 'string' && saw);
}

function parameter(value: string | undefined, name: string): string | undefined {
  return value === undefined ? undefined : `${name}=${quoted(value)}`;
}

function wrongToken(facts: Facts, is: (exchange: Exchange) => boolean): readonly Observation[] {
  const { wrongToken: refused } = facts.endpoint ?? {};
  return seen(asksForToken(facts) && refused && is(refused) && `With a token that nobody issued: ${told(refused)}`);
}
