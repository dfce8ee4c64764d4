/** What a hint is: for these findings at this front door, a sentence and the configuration that goes with it. */

import type { Finding } from '../finding.ts';

/** Where the server is, as far as it may stand in somebody's configuration. */
export interface Place {
  /** With its port, where it has one. */
  readonly host: string;
  readonly path: string;
  /** Of the resource's metadata (RFC 9728 §3.1), at this host. */
  readonly metadataUrl: string;
}

export interface Hint {
  readonly for: ReadonlyArray<Finding['id']>;
  /** The sentence, then the configuration line by line. */
  readonly lines: (place: Place) => readonly string[];
}

/** From the typed URL alone: what a server says of itself is not put into anybody's configuration. */
export function placeOf(typedUrl: string): Place {
  const { host, pathname } = new URL(typedUrl);
  // A path that would need quoting somewhere is left for whoever has it to write.
  const path = /^\/[\w./~-]*$/.test(pathname) && !pathname.includes('..') ? pathname : '/mcp';
  const suffix = path === '/' ? '' : path;
  return { host, path, metadataUrl: `https://${host}/.well-known/oauth-protected-resource${suffix}` };
}

/** The findings of a path without a route: the MCP endpoint's own, and those of the well-known places. */
export const unrouted: Hint['for'] = [
  'challenge.not-found',
  'resource.missing',
  'resource.challenge-url-dead',
  'resource.path-missing',
  'resource.root-missing',
  'resource.web-page',
  'server.missing',
  'server.web-page',
];

/** The server does not know its public name. */
export const innerName: Hint['for'] = [
  'address.redirect-downgrade',
  'resource.mismatch',
  'server.endpoint-plain-http',
  'server.endpoint-inner',
  'challenge.resource-metadata-elsewhere',
];

export const streamEnds: Hint['for'] = ['session.stream-cut', 'session.stream-silent'];
