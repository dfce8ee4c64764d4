/** Who calls: the gateway's identity headers, believed only of who has its secret or a name of this machine. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type CallerIdentity, readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { validateHostHeader } from '@modelcontextprotocol/server';

/** The subject names records; beyond this it is none of the gateway's. */
const maxSubjectBytes = 512;

export interface CallerOptions {
  /** Of the gateway; absent: the process is reachable from this machine only. */
  readonly secret?: string;
  /** Names this process may be called by when there is no secret. */
  readonly hostnames: readonly string[];
}

export interface NoCaller {
  readonly status: 401 | 403;
  /** Public. */
  readonly description: string;
}

/** The caller, or why there is none. */
export function callerOf(request: IncomingMessage, options: CallerOptions): CallerIdentity | NoCaller {
  const refused = refuseStranger(request, options);
  if (refused !== undefined) return { status: 403, description: refused };
  const identity = readIdentityHeaders(request.headers, options.secret);
  if (identity && Buffer.byteLength(identity.subject) <= maxSubjectBytes) return identity;
  return {
    status: 401,
    description: 'The request has no identity. Ankify is reached through its gateway, which signs users in.',
  };
}

/**
 * With a secret, only who knows it passes. Without, the name the process was called by must be a local one: a web page
 * whose name was rebound to 127.0.0.1 (DNS rebinding) could otherwise write identity headers of its own.
 */
function refuseStranger({ headers }: IncomingMessage, { secret, hostnames }: CallerOptions): string | undefined {
  if (secret !== undefined) {
    const given = headers['x-gatehouse-secret'];
    if (typeof given === 'string' && sameSecret(given, secret)) return undefined;
    return 'The request did not come through the gateway.';
  }
  if (validateHostHeader(headers.host, [...hostnames]).ok) return undefined;
  return 'This server does not go by the name in the Host header.';
}

function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
