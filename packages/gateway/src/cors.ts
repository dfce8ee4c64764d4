/** Browser pages that call a resource (Fetch, "HTTP-CORS protocol"). Which pages may ask at all was judged before. */
import type { IncomingMessage } from 'node:http';
import type { HttpReply } from '@mcp-gatehouse/auth';

/** Bearer tokens are no cookies: a page that holds one may read the answer. */
export function corsHeaders(req: IncomingMessage): Readonly<Record<string, string>> {
  const { origin } = req.headers;
  if (origin === undefined) return {};
  return {
    'access-control-allow-origin': origin,
    vary: 'Origin',
    'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After',
  };
}

/** RS: `OPTIONS` is never 401. The header names asked for are allowed, because `Mcp-Param-*` has no closed list. */
export function preflight(req: IncomingMessage, methods: readonly string[]): HttpReply {
  const asked = req.headers['access-control-request-headers'];
  const plain = typeof asked === 'string' && asked.length <= 1024 && /^[A-Za-z0-9,\s-]*$/.test(asked);
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': methods.filter((method) => method !== 'HEAD').join(', '),
      'access-control-allow-headers': plain
        ? asked
        : 'authorization, content-type, mcp-protocol-version, mcp-session-id',
      'access-control-max-age': '7200',
    },
    body: '',
  };
}
