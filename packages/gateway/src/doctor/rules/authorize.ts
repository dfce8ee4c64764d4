/** The authorization endpoint, judged by status, `Location` and the headers of its page. */
import { type AuthorizeFacts, type Exchange, type Facts, headerOf } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { sentState } from '../probe/authorize.ts';
import { redirectOf } from '../probe/http.ts';
import { quoted, shown } from '../text.ts';
import {
  answersOf,
  errorAnswersOf,
  isOn,
  isSentTo,
  type Result,
  resultOf,
  resultWords,
  usualAnswerOf,
  works,
} from './authorize-result.ts';
import { isHtml, type KnownServer, knownServers, seen } from './observe.ts';

export const authorizeRules: Rules = [
  {
    id: 'authorize.server-error',
    severity: 'fault',
    title: 'Signing in fails',
    why: 'The browser that the client opened shows an error.',
    spec: 'OAuth 2.1 §4.1.1',
    cure: 'Look into the server’s log.',
    check: (facts) => usual(facts, ({ kind }) => kind === 'failed'),
  },
  {
    id: 'authorize.refused',
    severity: 'fault',
    title: 'It refuses the request that every client sends',
    why: 'A code with PKCE, a state, a resource and the scope of the challenge, for the client that was just registered: nobody can sign in.',
    spec: 'OAuth 2.1 §4.1.1; RFC 8707 §2; MCP 2026-07-28, Authorization, “Resource Parameter Implementation”',
    cure: 'The error says why. Parameters that the server does not know, resource among them, must be ignored; Entra refuses resource together with scopes of another.',
    check: (facts) => usual(facts, ({ kind }) => kind === 'refused' || kind === 'error'),
  },
  {
    id: 'authorize.no-sign-in',
    severity: 'fault',
    title: 'It gives out a code without asking anybody',
    why: 'Whoever opens a link gets a code for it: no sign-in and no consent. A page that a person visits can take their access.',
    spec: 'MCP 2026-07-28, Security Best Practices, “Confused Deputy Problem”; RFC 9700 §4.15',
    cure: 'Ask the person to sign in, and for each client whether they agree.',
    check: (facts) => usual(facts, ({ kind }) => kind === 'code'),
  },
  {
    id: 'authorize.pkce-optional',
    severity: 'warning',
    title: 'It goes on without PKCE',
    why: 'A client that forgets it gets codes that whoever intercepts them can redeem.',
    spec: 'OAuth 2.1 §4.1.1, §7.5; MCP 2026-07-28, Security Considerations, “Authorization Code Protection”',
    cure: 'Refuse requests without code_challenge and code_challenge_method=S256.',
    check: (facts) => goesOn(facts, ({ withoutPkce }) => [withoutPkce, 'Without code_challenge']),
  },
  {
    id: 'authorize.fixed-port',
    severity: 'warning',
    title: 'It insists on the port of a loopback redirect URI',
    why: 'Claude Code, VS Code, Zed and Codex take whatever port is free when somebody signs in; what they registered, or published, has another or none.',
    spec: 'RFC 8252 §7.3; OAuth 2.1 §8.4.2',
    cure: 'Leave the port out of the comparison for 127.0.0.1, [::1] and localhost.',
    check: (facts) =>
      asked(facts).flatMap(({ authorize }) => {
        const refused = works(authorize)
          ? authorize.otherPorts.filter(({ redirectUri, exchange }) => !isOn(exchange, redirectUri))
          : [];
        return seen(
          refused.length > 0 &&
            refused
              .map(({ redirectUri, exchange }) => `${redirectUri}: ${resultWords(exchange, redirectUri)}`)
              .join('; '),
        );
      }),
  },
  {
    id: 'authorize.open-redirect',
    severity: 'fault',
    title: 'It redirects to an address that was never registered',
    why: 'Links to this server lead people anywhere, with an error or with a code.',
    spec: 'RFC 9700 §4.11.2; RFC 6749 §4.1.2.1; MCP 2026-07-28, Security Considerations, “Open Redirection”',
    cure: 'Compare redirect_uri with the registered ones first, and show a page where none matches.',
    check: (facts) =>
      asked(facts).flatMap(({ authorize: { strangeRedirect } }) =>
        seen(
          isSentTo(strangeRedirect.exchange, strangeRedirect.redirectUri) &&
            `It went to ${quoted(redirectOf(strangeRedirect.exchange) ?? '', 150)}.`,
        ),
      ),
  },
  {
    id: 'authorize.strange-redirect',
    severity: 'warning',
    title: 'It goes on with a redirect URI that was never registered',
    why: 'If nobody compares it later, codes are sent to whoever asks.',
    spec: 'OAuth 2.1 §4.1.1; MCP 2026-07-28, Security Considerations, “Open Redirection”',
    cure: 'Compare redirect_uri with the registered ones before anything is shown.',
    check: (facts) =>
      goesOn(facts, ({ strangeRedirect: { exchange } }) => [exchange, 'With a redirect URI that nobody registered']),
  },
  {
    id: 'authorize.resource-ignored',
    severity: 'note',
    title: 'It goes on with a resource that is not this one',
    why: 'It does not look at resource, or issues tokens for anything: whether tokens are bound to this MCP server depends on something else.',
    spec: 'RFC 8707 §2; MCP 2026-07-28, Authorization, “Token Audience Binding”',
    cure: 'Answer invalid_target for unknown resources, and set aud to the resource.',
    check: (facts) => goesOn(facts, ({ strangeResource }) => [strangeResource, 'With the resource of somebody else']),
  },
  {
    id: 'authorize.documents',
    severity: 'warning',
    title: 'It announces metadata documents, and does not get on with those of known clients',
    why: 'These clients trust the announcement and do not register: their people see an error page. Some vendors’ documents are not to be had from a data centre (Claude’s answer 403 there).',
    spec: 'MCP 2026-07-28, Client Registration; draft-ietf-oauth-client-id-metadata-document',
    cure: 'Can the server reach the internet, and does it fetch the document itself? Ship reviewed copies of the known ones for when a fetch fails, ignore the port of loopback redirect URIs, and members that are not known.',
    check: (facts) =>
      knownServers(facts).flatMap(({ documentClients, authorize }) => {
        // Where nobody gets anywhere, that is the fault.
        if (authorize && !works(authorize)) return [];
        const refused = documentClients.filter(({ exchange, redirectUri }) => !isOn(exchange, redirectUri));
        return seen(
          refused.length > 0 &&
            refused
              .map(({ client, exchange, redirectUri }) => `${client}: ${resultWords(exchange, redirectUri)}`)
              .join('; '),
        );
      }),
  },
  {
    id: 'authorize.iss',
    severity: 'fault',
    title: 'Its answers lack the iss that it announces, or have another',
    why: 'Clients must drop an answer whose iss is not the issuer, byte for byte, or which has none where it was announced.',
    spec: 'RFC 9207 §2.4; MCP 2026-07-28, Authorization, “Authorization Response”',
    cure: 'Send iss with every answer, errors included, written as in the metadata.',
    check: (facts) =>
      asked(facts).flatMap(({ authorize, metadata }) => {
        const announced = metadata.authorization_response_iss_parameter_supported === true;
        const wrong = answersOf(authorize).find((answer) => {
          const iss = answer.get('iss');
          return iss === null ? announced : iss !== metadata.issuer;
        });
        return seen(
          wrong && `iss is ${quoted(wrong.get('iss') ?? 'absent')}, the issuer ${quoted(String(metadata.issuer))}.`,
        );
      }),
  },
  {
    id: 'authorize.state',
    severity: 'fault',
    title: 'It does not give back the state',
    why: 'Clients drop an answer without it: it could be somebody else’s.',
    spec: 'RFC 6749 §4.1.2, §4.1.2.1',
    cure: 'Send state back as it came, with errors, too.',
    check: (facts) => asked(facts).flatMap(({ authorize }) => seen(lostState(usualAnswerOf(authorize)))),
  },
  {
    id: 'authorize.state-in-errors',
    severity: 'warning',
    title: 'Its error answers do not give back the state',
    why: 'A client that gets such an error cannot tell whether it is its own: it drops it, and waits for an answer that never comes. Requests that are in order are not touched by this.',
    spec: 'RFC 6749 §4.1.2.1',
    cure: 'Read state before anything else is judged, and send it back with every error. The SDK v1’s mcpAuthRouter refuses what lacks PKCE before it has read it.',
    check: (facts) =>
      asked(facts).flatMap(({ authorize }) => {
        // Where the usual answer has none, that is the fault.
        if (lostState(usualAnswerOf(authorize)) !== undefined) return [];
        const lost = errorAnswersOf(authorize).map(lostState);
        return seen(lost.find((words) => words !== undefined));
      }),
  },
  {
    id: 'authorize.framable',
    severity: 'warning',
    title: 'Its page may stand in a frame',
    why: 'A page around it can have people click “Allow” without knowing.',
    spec: 'RFC 9700 §4.16; MCP 2026-07-28, Security Best Practices',
    cure: 'Send Content-Security-Policy: frame-ancestors ’none’ (and X-Frame-Options: DENY).',
    check: (facts) =>
      asked(facts).flatMap(({ authorize: { asClientsDo } }) => {
        const { answer } = asClientsDo;
        const policy = headerOf(answer, 'content-security-policy') ?? '';
        return seen(
          answer?.status === 200 &&
            isHtml(answer) &&
            !/frame-ancestors/i.test(policy) &&
            headerOf(answer, 'x-frame-options') === undefined &&
            'The page has neither frame-ancestors nor X-Frame-Options.',
        );
      }),
  },
  {
    id: 'authorize.form-action',
    severity: 'warning',
    title: 'Its page’s form-action stops the way back to the client',
    why: 'Chrome applies form-action to redirects after a form: people click “Allow”, and nothing happens.',
    spec: 'Content Security Policy Level 3, “form-action”',
    cure: 'Leave form-action out of the policy of pages whose form leads to a redirect elsewhere.',
    check: (facts) =>
      asked(facts).flatMap(({ authorize: { asClientsDo } }) => {
        const { answer } = asClientsDo;
        const action = /(?:^|;|,)\s*form-action\s+([^;,]*)/i.exec(
          headerOf(answer, 'content-security-policy') ?? '',
        )?.[1];
        const narrow = action !== undefined && !/(^|\s)(\*|http:|http:\/\/127\.0\.0\.1\S*)(\s|$)/.test(action);
        return seen(
          answer?.status === 200 && narrow && /<form/i.test(answer.body) && `form-action ${shown(action, 100)}`,
        );
      }),
  },
];

type Asked = KnownServer & { readonly authorize: AuthorizeFacts };

function asked(facts: Facts): readonly Asked[] {
  return knownServers(facts).filter((server): server is Asked => server.authorize !== undefined);
}

function usual(facts: Facts, is: (result: { readonly kind: Result }) => boolean): readonly Observation[] {
  return asked(facts).flatMap(({ authorize: { asClientsDo, redirectUri } }) =>
    seen(is({ kind: resultOf(asClientsDo, redirectUri) }) && resultWords(asClientsDo, redirectUri)),
  );
}

/** In words; undefined: it came back as it was sent, or there was no answer. */
function lostState(answer: URLSearchParams | undefined): string | undefined {
  const state = answer?.get('state') ?? null;
  if (!answer || state === sentState) return undefined;
  const error = answer.get('error');
  return `state is ${quoted(state ?? 'absent', 80)}${error === null ? '' : ` beside error=${shown(error, 60)}`}.`;
}

/** A request that should have been refused went the way of a good one. */
function goesOn(facts: Facts, of: (authorize: AuthorizeFacts) => readonly [Exchange, string]): readonly Observation[] {
  return asked(facts).flatMap(({ authorize }) => {
    const [exchange, what] = of(authorize);
    const on =
      works(authorize) &&
      isOn(exchange, authorize.redirectUri) &&
      !isSentTo(exchange, authorize.strangeRedirect.redirectUri);
    return seen(on && `${what}: ${resultWords(exchange, authorize.redirectUri)}`);
  });
}
