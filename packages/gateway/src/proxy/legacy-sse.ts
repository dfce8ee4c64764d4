/**
 * HTTP+SSE (MCP 2024-11-05, Transports): a stream that is opened by GET, on which the target names the endpoint that
 * messages are posted to. Clients are told a path of ours instead; what the target named stands sealed in its query.
 */
import type { AccessToken } from '@mcp-gatehouse/auth/guard';
import { endpointEvents } from './legacy-sse-events.ts';
import { type Rewrite, UnfitAnswer } from './rewriter.ts';

/** What `Keyring` offers: every instance with the same secrets opens what another has sealed. */
export interface Seal {
  seal(context: string, text: string): string;
  /** Undefined: not sealed by us, or in another context. */
  open(context: string, sealed: string): string | undefined;
}

export interface LegacySseOptions {
  /** Path of the resource, where the stream is opened: `/files/sse`. */
  readonly publicPath: string;
  /** Where the target's stream is opened. */
  readonly target: URL;
  readonly seal: Seal;
}

/** Whose stream it is: all that the seal asks of a token. */
export type Caller = Pick<AccessToken, 'issuer' | 'subject' | 'clientId'>;

export interface LegacySse {
  /** Where messages are posted to here: `/files/sse/messages`, in front of the same guard as the stream. */
  readonly messagePath: string;
  /** For the answer to GET; `filter`: what else is done to it (the tool policy's), before. */
  rewriteFor(caller: Caller, filter?: Rewrite): Rewrite;
  /**
   * Path and query at the target of a message posted with this query, which is without its `?`. Undefined: it names no
   * endpoint that this client was told on a stream of this person. What else the query holds goes nowhere.
   */
  targetPathOf(query: string, caller: Caller): string | undefined;
}

/** Where messages are posted to of a resource whose stream is opened at `publicPath`. */
export function legacyMessagePath(publicPath: string): string {
  return `${publicPath.replace(/\/$/, '')}/messages`;
}

/** What a client is told whose message names no endpoint of its own. */
export const unknownEndpoint =
  'This address belongs to no stream that you opened here: open the stream again and post to the endpoint it names.';

/** In place of what the client asked for: a stream that is read cannot be encoded, and is nothing one has a part of. */
export const readableStream = { 'accept-encoding': 'identity', range: undefined, 'if-range': undefined } as const;

/** Characters of an endpoint; its seal has to fit into a request line. */
const maxEndpoint = 2048;
const maxSealed = 4096;

export function legacySse({ publicPath, target, seal }: LegacySseOptions): LegacySse {
  const messagePath = legacyMessagePath(publicPath);
  // MCP security best practices (RS-25): a session's name is no credential. Whoever learns it has still another context.
  const context = ({ issuer, subject, clientId }: Caller) =>
    `legacy-sse endpoint ${JSON.stringify([publicPath, target.href, issuer, clientId, subject])}`;
  return {
    messagePath,
    rewriteFor: (caller, filter) => (status, headers) => {
      const filtered = filter?.(status, headers);
      if (!isEventStream(headers['content-type'])) return filtered;
      if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
        throw new UnfitAnswer('an encoded stream to a request that accepts none');
      }
      // By path alone: an SDK takes no endpoint of another origin, and ours may have several names.
      const toldAnew = endpointEvents(
        (announced) => `${messagePath}?endpoint=${seal.seal(context(caller), endpointAt(target, announced))}`,
      );
      const decode = filtered ? (chunk: Buffer) => filtered.push(chunk) : utf8Decoder();
      // An event that has no end is none, so nothing is left at the end of the stream.
      return { whole: false, push: (chunk) => toldAnew(decode(chunk)), end: () => '' };
    },
    targetPathOf(query, caller) {
      const [sealed, ...more] = new URLSearchParams(query).getAll('endpoint');
      if (sealed === undefined || more.length > 0 || sealed.length > maxSealed) return undefined;
      return seal.open(context(caller), sealed);
    },
  };
}

/** Path and query of the endpoint a target announced. Throws `UnfitAnswer`; what was announced may name a session. */
function endpointAt(target: URL, announced: string): string {
  const reference = announced.trim();
  // RFC 3986 §2, and nothing that programs read in two ways.
  if (!/^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/.test(reference) || !URL.canParse(reference, target.href)) {
    throw new UnfitAnswer('the target announced an endpoint for messages that is no address');
  }
  const { origin, pathname, search, username, password } = new URL(reference, target);
  if (origin !== target.origin) {
    throw new UnfitAnswer(
      `the target announced an endpoint for messages at ${origin} and not at its own origin, ${target.origin}: let it announce a path, or configure the origin it announces`,
    );
  }
  if (username !== '' || password !== '') {
    throw new UnfitAnswer('the target announced an endpoint for messages with a user name or a password');
  }
  const endpoint = pathname + search;
  if (endpoint.length > maxEndpoint) {
    throw new UnfitAnswer(`the target announced an endpoint for messages of more than ${maxEndpoint} characters`);
  }
  return endpoint;
}

function isEventStream(header: string | string[] | undefined): boolean {
  const [type = ''] = [header ?? ''].flat();
  return /^\s*text\/event-stream\s*(;|$)/i.test(type);
}

function utf8Decoder(): (chunk: Buffer) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return (chunk) => {
    try {
      return decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new UnfitAnswer('a stream that is not UTF-8', { cause });
    }
  };
}
