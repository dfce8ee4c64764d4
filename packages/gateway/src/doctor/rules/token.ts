/** The token endpoint: what clients can make of its refusals (RFC 6749 §5.2). */
import { type Exchange, type Facts, headerOf, type TokenFacts } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { isObject } from '../probe/json.ts';
import { quoted } from '../text.ts';
import { contentTypeOf, errorOf, failureWords, type KnownServer, knownServers, seen, told, words } from './observe.ts';

export const tokenRules: Rules = [
  {
    id: 'token.server-error',
    severity: 'fault',
    title: 'The token endpoint fails on bad input',
    why: 'Clients do not know whether to try again or to sign in again; most do neither.',
    spec: 'RFC 6749 §5.2',
    cure: 'Refuse with 400 and a JSON error. What a client sends must never be a 5xx.',
    check: (facts) =>
      all(
        facts,
        ({ exchange }) =>
          (!exchange.answer && exchange.failure?.code !== 'BUDGET') || (exchange.answer?.status ?? 0) >= 500,
      ),
  },
  {
    id: 'token.accepts-anything',
    severity: 'fault',
    title: 'The token endpoint gives tokens for a code that nobody issued',
    why: 'Everybody gets in.',
    spec: 'OAuth 2.1 §4.1.3',
    cure: 'Redeem only codes that were issued, once, for the client they were issued to.',
    check: (facts) =>
      all(facts, ({ exchange }) => (exchange.answer?.status ?? 0) >= 200 && (exchange.answer?.status ?? 0) < 300),
  },
  {
    id: 'token.limited',
    severity: 'warning',
    title: 'The token endpoint refuses for frequency',
    why: 'All people at Claude.ai share a few addresses: a limit by address locks them out together.',
    spec: 'RFC 6585 §4',
    cure: 'If it was not the doctor itself that spent the limit: limit by client or by grant, not by address.',
    check: (facts) => all(facts, ({ exchange }) => exchange.answer?.status === 429),
  },
  {
    id: 'token.not-json',
    severity: 'fault',
    title: 'The token endpoint does not refuse in JSON',
    why: 'Clients look for error in JSON; without it they show a parse error and never sign in again by themselves.',
    spec: 'RFC 6749 §5.2',
    cure: 'Answer 400 with Content-Type: application/json and {"error": "…"}. A page or a redirect here comes from something before the server.',
    check: (facts) =>
      all(facts, ({ exchange }) => {
        const { answer } = exchange;
        return (
          answer !== undefined &&
          answer.status >= 300 &&
          answer.status < 500 &&
          answer.status !== 429 &&
          (!isObject(answer.json) || contentTypeOf(answer) !== 'application/json')
        );
      }),
  },
  {
    id: 'token.code-error',
    severity: 'warning',
    title: 'A wrong code is not called invalid_grant',
    why: 'Clients sign in again on invalid_grant; on another error they give up.',
    spec: 'RFC 6749 §5.2',
    cure: 'Answer invalid_grant where the code is unknown, expired or used.',
    check: (facts) => refusals(facts, 'wrongCode', (error) => error !== 'invalid_grant'),
  },
  {
    id: 'token.refresh-error',
    severity: 'fault',
    title: 'A dead refresh token is not called invalid_grant',
    why: 'Clients throw it away and sign in again on invalid_grant only: on another error people stay locked out until they remove the server.',
    spec: 'RFC 6749 §5.2',
    cure: 'Answer 400 invalid_grant where the refresh token is unknown, expired or revoked.',
    check: (facts) =>
      refusals(
        facts,
        'wrongRefreshToken',
        (error, { metadata }) =>
          // Where refreshing is not announced at all, that is said with the metadata.
          error !== 'invalid_grant' && words(metadata.grant_types_supported).includes('refresh_token'),
      ),
  },
  {
    id: 'token.grant-status',
    severity: 'warning',
    title: 'invalid_grant does not come with 400',
    why: 'Clients that go by the status take 401 for a bad client, and register again.',
    spec: 'RFC 6749 §5.2',
    cure: 'Answer invalid_grant with 400.',
    check: (facts) =>
      all(facts, ({ exchange }) => errorOf(exchange) === 'invalid_grant' && exchange.answer?.status !== 400),
  },
  {
    id: 'token.client-error',
    severity: 'warning',
    title: 'An unknown client is not called invalid_client',
    why: 'Clients whose registration was lost register again on invalid_client only: on another error they fail with the old id for ever.',
    spec: 'RFC 6749 §5.2; MCP 2026-07-28, Client Registration',
    cure: 'Look at the client before the code, and answer 401 invalid_client.',
    check: (facts) => refusals(facts, 'unknownClient', (error) => error !== 'invalid_client'),
  },
  {
    id: 'token.cacheable',
    severity: 'warning',
    title: 'Answers of the token endpoint may be cached',
    why: 'A cache on the way may give one person’s tokens to another.',
    spec: 'OAuth 2.1 §3.2.3; RFC 6749 §5.1',
    cure: 'Send Cache-Control: no-store with every answer.',
    check: (facts) =>
      all(
        facts,
        ({ exchange }) =>
          isObject(exchange.answer?.json) && !/no-store/i.test(headerOf(exchange.answer, 'cache-control') ?? ''),
      ),
  },
];

const named = ['wrongCode', 'wrongRefreshToken', 'unknownClient'] as const;
type Name = (typeof named)[number];

const sent: Readonly<Record<Name, string>> = {
  wrongCode: 'With a wrong code',
  wrongRefreshToken: 'With a wrong refresh token',
  unknownClient: 'As an unknown client',
};

type Asked = KnownServer & { readonly token: TokenFacts };

function asked(facts: Facts): readonly Asked[] {
  return knownServers(facts).filter((server): server is Asked => server.token !== undefined);
}

/** Once a server: what is wrong with one refusal usually is with all. */
function all(facts: Facts, is: (refusal: { readonly exchange: Exchange }) => boolean): readonly Observation[] {
  return asked(facts).flatMap(({ token }) => {
    for (const name of named) {
      const exchange = token[name];
      if (exchange && is({ exchange })) {
        const error = errorOf(exchange);
        return seen(
          `${sent[name]}: ${exchange.answer ? told(exchange) : failureWords(exchange)}${error === undefined ? '' : `, ${quoted(error, 60)}`}`,
        );
      }
    }
    return [];
  });
}

/** Of refusals with an error code; those without have a rule of their own. */
function refusals(facts: Facts, name: Name, is: (error: string, server: Asked) => boolean): readonly Observation[] {
  return asked(facts).flatMap((server) => {
    const exchange = server.token[name];
    const error = exchange && errorOf(exchange);
    const status = exchange?.answer?.status ?? 0;
    const refused = status >= 300 && status < 500 && status !== 429;
    return seen(refused && error !== undefined && is(error, server) && `${sent[name]}: ${status} ${quoted(error, 60)}`);
  });
}
