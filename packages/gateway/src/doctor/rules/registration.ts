/** Dynamic client registration (RFC 7591), as a native client and as Cursor. */
import type { Facts, RegistrationFacts } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { isObject } from '../probe/json.ts';
import { quoted } from '../text.ts';
import { contentTypeOf, failureWords, list, seen, told, words } from './observe.ts';

export const registrationRules: Rules = [
  {
    id: 'registration.closed',
    severity: 'fault',
    title: 'Registration needs a token',
    why: 'No client has one: all of them register as strangers.',
    spec: 'RFC 7591 §3; MCP 2026-07-28, Client Registration',
    cure: 'Open the registration endpoint (and limit it by rate and lifetime), or do not announce it.',
    check: (facts) => natives(facts, (status) => status === 401 || status === 403),
  },
  {
    id: 'registration.limited',
    severity: 'warning',
    title: 'Registration is refused for its frequency',
    why: 'All people at Claude.ai share a few addresses: a limit by address locks them out together.',
    spec: 'RFC 6585 §4',
    cure: 'If it was not the doctor itself that spent the limit: limit by what is registered, not by address, or issue client ids that need no storage.',
    check: (facts) => natives(facts, (status) => status === 429),
  },
  {
    id: 'registration.refused',
    severity: 'fault',
    title: 'It refuses the registration of a program on somebody’s computer',
    why: 'Claude Code, VS Code, the Inspector and mcp-remote register this way: loopback redirect URIs, no secret, PKCE.',
    spec: 'RFC 7591 §3.2.2; RFC 8252 §7.3',
    cure: 'Accept http redirect URIs on 127.0.0.1 and localhost with any port, token_endpoint_auth_method none, and unknown members.',
    check: (facts) => natives(facts, (status) => status >= 300 && status < 500 && ![401, 403, 429].includes(status)),
  },
  {
    id: 'registration.server-error',
    severity: 'fault',
    title: 'Registration fails',
    why: 'No client that registers gets any further.',
    spec: 'RFC 7591 §3.2',
    cure: 'Look into the server’s log.',
    check: (facts) => [
      ...natives(facts, (status) => status >= 500),
      ...of(facts, 'native').flatMap(({ exchange }) =>
        seen(!exchange.answer && `POST ${exchange.url}: ${failureWords(exchange)}`),
      ),
    ],
  },
  {
    id: 'registration.no-client-id',
    severity: 'fault',
    title: 'The answer to a registration has no client id',
    why: 'Clients have nothing to go on with.',
    spec: 'RFC 7591 §3.2.1',
    cure: 'Answer 201 with JSON that has client_id and what was registered.',
    check: (facts) =>
      granted(facts).flatMap(({ exchange, clientId }) => seen(clientId === undefined && told(exchange))),
  },
  {
    id: 'registration.status',
    severity: 'note',
    title: 'A registration is not answered with 201',
    why: 'Clients of today take any 2xx; the RFC says 201.',
    spec: 'RFC 7591 §3.2.1',
    cure: 'Answer 201.',
    check: (facts) => made(facts).flatMap(({ exchange }) => seen(exchange.answer?.status !== 201 && told(exchange))),
  },
  {
    id: 'registration.content-type',
    severity: 'warning',
    title: 'The answer to a registration is not sent as application/json',
    why: 'Careful clients do not parse it.',
    spec: 'RFC 7591 §3.2.1',
    cure: 'Send Content-Type: application/json.',
    check: (facts) =>
      made(facts).flatMap(({ exchange }) =>
        seen(contentTypeOf(exchange.answer) !== 'application/json' && told(exchange)),
      ),
  },
  {
    id: 'registration.echo',
    severity: 'fault',
    title: 'The answer does not repeat the redirect URIs as they were sent',
    why: 'The SDKs refuse an answer without redirect_uris. Where another one was registered, signing in ends on an error page.',
    spec: 'RFC 7591 §3.2.1',
    cure: 'Register them as they are, and answer with all that was registered.',
    check: (facts) =>
      made(facts).flatMap(({ sent, json }) => {
        const echoed = words(json.redirect_uris);
        return seen(
          sent.redirect_uris.some((uri) => !echoed.includes(uri)) &&
            `Sent ${list(sent.redirect_uris)}, registered ${list(echoed) || 'nothing'}.`,
        );
      }),
  },
  {
    id: 'registration.secret',
    severity: 'warning',
    title: 'It makes a client with a secret of one that asked for none',
    why: 'Programs on people’s computers may not keep it, and fail at the token endpoint with invalid_client where it is asked for.',
    spec: 'RFC 7591 §2; OAuth 2.1 §2.1',
    cure: 'Register token_endpoint_auth_method none as it was asked for.',
    check: (facts) =>
      made(facts).flatMap(({ json }) => {
        const method = json.token_endpoint_auth_method;
        // Left out it means client_secret_basic; an answer without a secret cannot mean that.
        const said = `token_endpoint_auth_method is ${JSON.stringify(method) ?? 'absent'}`;
        if (json.client_secret !== undefined) {
          return seen(`A client_secret was issued for a client that asked for none; ${said}.`);
        }
        return seen(method !== undefined && method !== 'none' && `${said}, none was asked for.`);
      }),
  },
  {
    id: 'registration.no-refresh',
    severity: 'warning',
    title: 'It registers the client without refresh tokens',
    why: 'People sign in again each time the access token expires.',
    spec: 'RFC 7591 §3.2.1',
    cure: 'Register the grant type refresh_token where it is asked for.',
    check: (facts) =>
      made(facts).flatMap(({ json }) => {
        const grants = json.grant_types;
        return seen(
          grants !== undefined && !words(grants).includes('refresh_token') && `grant_types: ${list(words(grants))}`,
        );
      }),
  },
  {
    id: 'registration.shared-client',
    severity: 'warning',
    title: 'Everybody gets the same client id',
    why: 'What one client was allowed, every other is: consent for one is consent for all, and none can be told apart or revoked.',
    spec: 'MCP 2026-07-28, Security Best Practices, “Confused Deputy Problem”',
    cure: 'Issue an id for each registration.',
    check: (facts) => {
      const [native, cursor] = [of(facts, 'native')[0], of(facts, 'cursor')[0]];
      return seen(
        native?.clientId !== undefined &&
          native.clientId === cursor?.clientId &&
          `Two registrations got ${quoted(native.clientId, 80)}.`,
      );
    },
  },
  {
    id: 'registration.cursor',
    severity: 'warning',
    title: 'It refuses Cursor’s registration',
    why: 'Cursor sends three redirect URIs at once, one of them at its own scheme (cursor://). Refusing one refuses Cursor.',
    spec: 'RFC 8252 §7.1; RFC 7591 §3.2.2',
    cure: 'Accept the private-use schemes of known clients, and mixed sets of redirect URIs.',
    check: (facts) => others(facts, 'cursor'),
  },
  {
    id: 'registration.hosted',
    severity: 'warning',
    title: 'It refuses the registration of clients in a vendor’s cloud',
    why: 'Claude.ai, ChatGPT, Grok and Copilot have redirect URIs at https addresses of their own.',
    spec: 'RFC 7591 §3.2.2; OAuth 2.1 §2.3.1',
    cure: 'Accept https redirect URIs, or list those of the clients that are wanted.',
    check: (facts) => others(facts, 'hosted'),
  },
];

type Made = RegistrationFacts & { readonly json: Readonly<Record<string, unknown>> };

function of({ authorizationServers }: Facts, purpose: RegistrationFacts['purpose']): readonly RegistrationFacts[] {
  return authorizationServers.flatMap(({ registrations }) => registrations.filter((one) => one.purpose === purpose));
}

function natives(facts: Facts, is: (status: number) => boolean): readonly Observation[] {
  return of(facts, 'native').flatMap(({ exchange }) =>
    seen(exchange.answer && is(exchange.answer.status) && told(exchange)),
  );
}

function granted(facts: Facts): readonly RegistrationFacts[] {
  return of(facts, 'native').filter(({ exchange }) => exchange.answer !== undefined && exchange.answer.status < 300);
}

function made(facts: Facts): readonly Made[] {
  return granted(facts).flatMap((one) => {
    const json = one.exchange.answer?.json;
    return one.clientId !== undefined && isObject(json) ? [{ ...one, json }] : [];
  });
}

/** Refused where the native client was not; what it has to do with frequency or a token is told already. */
function others(facts: Facts, purpose: RegistrationFacts['purpose']): readonly Observation[] {
  return of(facts, purpose).flatMap(({ exchange, clientId }) =>
    seen(
      natively(facts) &&
        clientId === undefined &&
        ![401, 403, 429].includes(exchange.answer?.status ?? 0) &&
        (exchange.answer ? told(exchange) : failureWords(exchange)),
    ),
  );
}

function natively(facts: Facts): boolean {
  return of(facts, 'native').some(({ clientId }) => clientId !== undefined);
}
