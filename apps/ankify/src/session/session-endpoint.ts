/**
 * `/session` on the page's own origin: for the page's script only. A request counts as its own if the browser says so in
 * `Origin` and `Sec-Fetch-Site`, and if it carries a header that no other page may send without CORS, which is not here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { Problem, problemReply } from '../api/problem.ts';
import { readJson } from '../http/json-body.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import { type GatewayClient, GatewayUnavailable } from './gateway-client.ts';
import type { SessionCookie } from './session-cookie.ts';
import type { Given, Sessions } from './sessions.ts';

export interface SessionEndpointOptions {
  readonly client: GatewayClient;
  readonly sessions: Sessions;
  readonly cookie: SessionCookie;
  /** What a page needs to know beside the gateway's endpoints. */
  readonly page: {
    readonly origin: string;
    readonly redirectUri: string;
    readonly clientId: string;
    readonly resource: string;
    readonly scope: string;
    readonly mcpUrl: string;
  };
  readonly log: (event: LogEvent) => void;
}

/** `path` begins with `/session`. */
export type SessionEndpoint = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<void>;

/** The name and value of the header that only the page's own script can send. */
export const ownHeader = 'ankify-session';

const bounds = { maxBytes: 16 * 1024, maxDepth: 4 };
const retrySeconds = 5;

// RFC 7636 §4.1; a code is VSCHAR (RFC 6749 §A.11).
const begin = z.strictObject({
  code: z.string().regex(/^[\x20-\x7e]{1,2048}$/, 'it is no authorization code'),
  code_verifier: z.string().regex(/^[A-Za-z0-9._~-]{43,128}$/, 'it is no code verifier'),
  redirect_uri: z.string().max(2048),
});
const again = z.strictObject({
  force: z.boolean().optional(),
});

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

export function createSessionEndpoint(options: SessionEndpointOptions): SessionEndpoint {
  const { client, sessions, cookie, page, log } = options;

  const routes: Record<string, Record<string, (request: IncomingMessage) => Promise<Reply>>> = {
    '/session/config': {
      async GET() {
        const { issuer, authorization } = await client.endpoints();
        return {
          status: 200,
          json: {
            issuer,
            authorization_endpoint: authorization,
            client_id: page.clientId,
            redirect_uri: page.redirectUri,
            resource: page.resource,
            scope: page.scope,
            api_url: page.resource,
            mcp_url: page.mcpUrl,
          },
        };
      },
    },
    '/session': {
      async POST(request) {
        const { code, code_verifier, redirect_uri } = await bodyOf(request, begin);
        if (redirect_uri !== page.redirectUri) throw failed('The redirect_uri is not the one of this page.');
        const given = await sessions.begin(code, code_verifier, redirect_uri);
        if (!given) throw failed('The gateway does not take this code (any more). Sign in again.');
        // Signed in twice: the session before is not left behind as a grant that nobody can see from here.
        const before = cookie.read(request.headers.cookie);
        if (before) await sessions.end(before).catch(logUnrevoked);
        return tokenReply(given);
      },
      async DELETE(request) {
        const session = cookie.read(request.headers.cookie);
        const headers = { 'set-cookie': cookie.clear };
        try {
          if (session) await sessions.end(session);
        } catch (error) {
          logUnrevoked(error);
          const words =
            'You are signed out here, but the gateway could not be told. Remove Ankify there, under Connections.';
          throw new Problem('gateway-unavailable', words, { retrySeconds, headers, members: { revoked: false } });
        }
        return { status: 204, headers };
      },
    },
    '/session/token': {
      async POST(request) {
        const { force = false } = await bodyOf(request, again);
        const session = cookie.read(request.headers.cookie);
        const outcome = session ? await sessions.token(session, force) : 'signed_out';
        if (outcome !== 'signed_out') return tokenReply(outcome);
        const headers = { 'set-cookie': cookie.clear };
        throw new Problem('signed-out', 'Nobody is signed in, or the session has ended. Sign in again.', { headers });
      },
    },
  };

  function logUnrevoked(error: unknown): void {
    if (!(error instanceof GatewayUnavailable)) throw error;
    log({ event: 'session.unrevoked', error: error.message });
  }

  const tokenReply = ({ accessToken, expiresInSeconds, scope, session }: Given): Reply => ({
    status: 200,
    headers: { 'set-cookie': cookie.write(session) },
    json: { access_token: accessToken, token_type: 'Bearer', expires_in: expiresInSeconds, scope },
  });

  return async (request, response, path) => {
    let reply: Reply;
    try {
      const here = routes[path];
      if (!here) throw new Problem('not-found', 'There is nothing at this address.');
      const handle = here[request.method ?? ''];
      if (!handle) {
        const allow = Object.keys(here).join(', ');
        throw new Problem('method-not-allowed', `Only ${allow} can be used here.`, { headers: { allow } });
      }
      if (request.method !== 'GET') refuseForeign(request, page.origin);
      reply = await handle(request);
    } catch (error) {
      if (request.readableAborted) return;
      const { status, headers, body } = problemReply(problemOf(error, log));
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
      response.end(body);
      return;
    }
    const body = reply.json === undefined ? '' : JSON.stringify(reply.json);
    response.writeHead(reply.status, {
      'cache-control': 'no-store',
      ...(reply.json !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
      ...reply.headers,
    });
    response.end(body);
  };
}

function refuseForeign({ headers }: IncomingMessage, origin: string): void {
  const site = headers['sec-fetch-site'];
  const own = headers.origin === origin && (site === undefined || site === 'same-origin') && headers[ownHeader] === '1';
  if (own) return;
  throw new Problem('foreign-page', `Only a script of ${origin} may ask this, with the header ${ownHeader}: 1.`);
}

async function bodyOf<T extends z.ZodType>(request: IncomingMessage, schema: T): Promise<z.output<T>> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const read = await readJson(request, bounds);
  if (type !== 'application/json') throw new Problem('not-json-type', 'Send the body as application/json.');
  if (!('value' in read)) {
    throw new Problem(
      read.fault === 'too_large' ? 'too-large' : 'not-json',
      `The request cannot be read: ${read.message}.`,
    );
  }
  const result = schema.safeParse(read.value);
  if (result.success) return result.data;
  // Never what was sent: it may be a code.
  const errors = result.error.issues.slice(0, 10).map(({ path, message }) => ({
    pointer: path.map((part) => `/${String(part)}`).join(''),
    detail: message.slice(0, 200),
  }));
  throw new Problem('invalid-request', 'The body is not of the form described.', { errors });
}

function failed(words: string): Problem {
  return new Problem('sign-in-failed', words);
}

function problemOf(error: unknown, log: (event: LogEvent) => void): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof GatewayUnavailable) {
    log({ event: 'session.unavailable', error: error.message });
    return new Problem('gateway-unavailable', 'The gateway cannot be reached right now. Try again soon.', {
      retrySeconds,
    });
  }
  log({ event: 'session.failed', error: error instanceof Error ? error.stack : String(error) });
  return new Problem('fault', 'Ankify failed. Try again in a minute.');
}
