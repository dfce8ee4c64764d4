/** What the gateway itself answers where nothing else does: short JSON in the form of OAuth errors (RFC 6749 §5.2). */
import type { HttpReply } from '@mcp-gatehouse/auth';

export function problem(status: number, error: string, description: string, retrySeconds = 2): HttpReply {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(status === 503 && { 'retry-after': String(retrySeconds) }),
    },
    body: JSON.stringify({ error, error_description: description }),
  };
}

/** RFC 9110 §15.5.6: the answer names the methods that there are. */
export function wrongMethod(allow: string): HttpReply {
  const reply = problem(405, 'method_not_allowed', `Use ${allow} here.`);
  return { ...reply, headers: { ...reply.headers, allow } };
}
