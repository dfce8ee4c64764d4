/** The examination: every probe in the order in which a client goes, within one limit of time and one of requests. */
import { isLoopbackHost } from '../loopback.ts';
import { bearerParameter } from './challenge.ts';
import type {
  AuthorizationServerFacts,
  EndpointFacts,
  Facts,
  ResourceMetadataFacts,
  TlsFacts,
  TypedUrl,
} from './facts.ts';
import { lastOf } from './facts.ts';
import { probeAuthorization } from './probe/authorization.ts';
import { probeEndpoint } from './probe/endpoint.ts';
import { type Asker, createAsker } from './probe/http.ts';
import { isObject } from './probe/json.ts';
import {
  isHttpUrl,
  issuersOf,
  maxServers,
  objectOf,
  probeResourceMetadata,
  probeServerMetadata,
  resourceMetadataOf,
} from './probe/metadata.ts';
import { probeSession } from './probe/session.ts';
import { lookupBy, probeDns, probeTls, type Resolve, resolveBySystem } from './probe/tls.ts';

export interface ExamineOptions {
  readonly typed: TypedUrl;
  /** Sent to the MCP endpoint alone, and never kept. */
  readonly token?: string | undefined;
  readonly register: boolean;
  /** Sends the token although the certificate cannot be trusted. */
  readonly insecure?: boolean;
  /** For everything. What was not examined by then is said. */
  readonly timeoutSeconds: number;
  /** How long a stream is kept open; 0: none is. */
  readonly streamSeconds: number;
  /** PEM, trusted besides what Node trusts. */
  readonly ca?: string;
  readonly onProgress?: (step: string) => void;
  readonly signal?: AbortSignal;
  /** For one request. */
  readonly requestSeconds?: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly resolve?: Resolve;
}

/** Enough for three authorization servers with everything there is. */
const maxRequests = 150;

/** Never rejects for what a server does; what could not be seen is in the facts. */
export async function examine(options: ExamineOptions): Promise<Facts> {
  const { typed, token, register, insecure = false, streamSeconds, onProgress } = options;
  const now = options.now ?? (() => performance.now());
  const requestSeconds = options.requestSeconds ?? 15;
  const started = now();
  const timeout = AbortSignal.timeout((options.timeoutSeconds + streamSeconds) * 1000);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  const lookup = lookupBy(options.resolve ?? resolveBySystem);
  const asker = createAsker({
    requestSeconds,
    maxRequests,
    signal,
    now,
    lookup,
    onAsk: (method, url) => onProgress?.(`${method} ${url}`),
  });
  const tlsProbe = {
    lookup,
    seconds: requestSeconds,
    signal,
    now,
    ...(options.ca !== undefined && { ca: options.ca }),
  };
  const examined = { register, token: token !== undefined, streamSeconds, insecure };
  const unfinished: string[] = [];
  try {
    onProgress?.(`looking up ${new URL(typed.url).hostname}`);
    const dns = await probeDns(typed.url, options.resolve ?? resolveBySystem, now);
    const tls: TlsFacts[] = [];
    const see = async (url: string) => {
      if (tls.some(({ origin }) => origin === new URL(url).origin)) return;
      const seen = await probeTls(url, tlsProbe);
      if (seen) tls.push(seen);
    };
    const whyStopped = () =>
      options.signal?.aborted ? 'It was stopped.' : `The ${options.timeoutSeconds} s for all of it were over.`;
    const done = (more: Partial<Facts> = {}): Facts => ({
      typed,
      examined,
      dns,
      tls,
      resourceMetadata: [],
      authorizationServers: [],
      ...more,
      unfinished: [...unfinished, ...(signal.aborted ? [whyStopped()] : [])],
      requests: asker.requests,
      ms: now() - started,
    });
    if (dns.failure) return done();
    await see(typed.url);
    const { endpoint, first } = await probeEndpoint(asker, typed.url);
    // A chapter in which the time ran out is left out whole: what was not asked in it must not look like no answer.
    if (signal.aborted) return done();
    if (!endpoint) return done({ unreachable: first });
    await see(endpoint.url);
    const resourceMetadata = await probeResourceMetadata(asker, endpoint);
    if (signal.aborted) return done({ endpoint });
    const issuers = resourceMetadataOf(resourceMetadata) && issuersOf(resourceMetadataOf(resourceMetadata));
    if (issuers && issuers.length > maxServers) {
      unfinished.push(`Of ${issuers.length} authorization servers the first ${maxServers} were examined.`);
    }
    const authorizationServers: AuthorizationServerFacts[] = [];
    for (const issuer of issuers?.slice(0, maxServers) ?? [new URL(endpoint.url).origin]) {
      if (isHttpUrl(issuer)) await see(issuer);
      const found = issuers ? 'listed' : 'origin';
      const server = await probeServer(asker, { issuer, found, endpoint, resourceMetadata, register });
      if (signal.aborted) break;
      // Before 2025-06-18 the MCP server was the authorization server. That it is not is no fact about one.
      if (found === 'listed' || server.metadata) authorizationServers.push(server);
    }
    const withheld = token === undefined ? undefined : whyNotSent(typed.url, endpoint.url, tls, insecure);
    if (withheld !== undefined) unfinished.push(`The token was not sent: ${withheld}`);
    const sent = withheld === undefined ? token : undefined;
    const seenSoFar = { endpoint, resourceMetadata, authorizationServers };
    if (signal.aborted) return done(seenSoFar);
    const session =
      sent !== undefined || letsIn(endpoint)
        ? await probeSession(asker, {
            url: endpoint.url,
            token: sent,
            streamSeconds,
            requestSeconds,
            signal,
            now,
          })
        : undefined;
    return done({ ...seenSoFar, ...(session && !signal.aborted && { session }) });
  } finally {
    asker.close();
  }
}

interface ServerProbe {
  readonly issuer: string;
  readonly found: AuthorizationServerFacts['found'];
  readonly endpoint: EndpointFacts;
  readonly resourceMetadata: readonly ResourceMetadataFacts[];
  readonly register: boolean;
}

async function probeServer(asker: Asker, probe: ServerProbe): Promise<AuthorizationServerFacts> {
  const { issuer, found, endpoint, resourceMetadata, register } = probe;
  const server = await probeServerMetadata(asker, issuer, found);
  if (!server.metadata) return { ...server, registrations: [], documentClients: [] };
  const described = resourceMetadata.map(({ fetched }) => objectOf(fetched)).find((one) => one !== undefined);
  const { resource, scopes_supported: scopes } = described ?? {};
  const wanted = {
    resource: typeof resource === 'string' ? resource : endpoint.url,
    scope: bearerParameter(lastOf(endpoint.initialize).answer, 'scope') ?? scopeOf(scopes),
  };
  return { ...server, ...(await probeAuthorization(asker, server.metadata, wanted, register)) };
}

/** CL-06: without a challenge, everything the resource lists. */
function scopeOf(listed: unknown): string | undefined {
  return Array.isArray(listed) && listed.length > 0 ? listed.join(' ') : undefined;
}

/** A token in the hands of whoever answers there is a token lost. Undefined: it may be sent. */
function whyNotSent(typed: string, reached: string, tls: readonly TlsFacts[], insecure: boolean): string | undefined {
  const [from, to] = [new URL(typed), new URL(reached)];
  if (from.hostname !== to.hostname) return `a redirect led to ${to.host}, which nobody typed.`;
  if (insecure) return undefined;
  const fault = tls.find(({ origin }) => origin === to.origin)?.fault;
  if (fault) return `the certificate cannot be trusted (${fault.code}); --insecure sends it all the same.`;
  const readable = to.protocol === 'http:' && !isLoopbackHost(to.hostname);
  return readable ? 'over plain http everybody on the way could read it; --insecure sends it all the same.' : undefined;
}

function letsIn({ initialize }: EndpointFacts): boolean {
  const { answer } = lastOf(initialize);
  return answer?.status === 200 && isObject(answer.json) && 'result' in answer.json;
}
