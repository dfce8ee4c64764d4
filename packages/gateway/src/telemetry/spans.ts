/**
 * Two spans a request: ours as a server, and below it ours as a client of the target (OpenTelemetry semantic conventions
 * for HTTP and for MCP). No token, no query, no e-mail address, no session id and no argument of a tool stands in them;
 * a person is the beginning of a digest, as in the log.
 */
import type { IncomingMessage } from 'node:http';
import { type AccessToken, logName } from '@mcp-gatehouse/auth';
import type { Attributes, Context, Link, Span } from '@opentelemetry/api';
import { shown } from '../tool-policy/judge.ts';
import { methodLabel } from './measures.ts';

type Api = typeof import('@opentelemetry/api');

/** What was asked for, as far as it is known; names as they came. */
export interface Asked {
  readonly method?: string | undefined;
  readonly tool?: string | undefined;
  /** JSON text of `params._meta`. */
  readonly meta?: string | undefined;
}

export interface Spans {
  request(req: IncomingMessage): RequestSpan;
}

export interface RequestSpan {
  /** For the log; undefined: there is no trace, or none yet. */
  readonly traceId: string | undefined;
  caller(token: Pick<AccessToken, 'subject' | 'clientId'>): void;
  message(asked: Asked): void;
  /** An exchange with the target begins. */
  target(url: URL): TargetSpan;
  /** Once. `path` is fit for the log; `route` from a closed list. */
  end(done: RequestEnd): void;
}

export interface RequestEnd {
  readonly path: string;
  readonly route: string;
  /** Undefined: nobody was there any more. */
  readonly status?: number | undefined;
  readonly outcome: string;
  readonly resource?: string | undefined;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
}

export interface TargetSpan {
  /** For the target, by lower-case name, in place of the client's; undefined: none at all. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  answered(status: number): void;
  end(outcome: string): void;
}

const noTarget: TargetSpan = { headers: {}, answered: () => {}, end: () => {} };
const noRequest: RequestSpan = {
  traceId: undefined,
  caller: () => {},
  message: () => {},
  target: () => noTarget,
  end: () => {},
};

/** Trace headers of a client then pass as they came. */
export const noSpans: Spans = { request: () => noRequest };

export function spans(api: Api, options: { readonly version: string; readonly publicOrigin: string }): Spans {
  const { SpanKind, SpanStatusCode, ROOT_CONTEXT, propagation, trace } = api;
  const { protocol, hostname, port } = new URL(options.publicOrigin);
  const tracer = trace.getTracer('gatehouse', options.version);
  const ours: Attributes = {
    'url.scheme': protocol.slice(0, -1),
    'server.address': hostname,
    ...(port !== '' && { 'server.port': Number(port) }),
  };

  const noTraceHeaders = Object.fromEntries(propagation.fields().map((name) => [name.toLowerCase(), undefined]));

  /**
   * The header's context is the parent, because this span is about the HTTP request. A message may have another one of
   * its own (SEP-414): the parent where there is no header, and linked where there is. Of a stranger both are only linked:
   * whoever has no token must not decide what is sampled and paid for, nor stand in a trace of somebody else's.
   */
  function parentage(req: IncomingMessage, { meta }: Asked, known: boolean): { parent: Context; links: Link[] } {
    if (!known) {
      const context = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, req.headers));
      return { parent: ROOT_CONTEXT, links: context && api.isSpanContextValid(context) ? [{ context }] : [] };
    }
    const byHeader = propagation.extract(ROOT_CONTEXT, req.headers);
    const carrier = carrierIn(meta);
    const byMessage = carrier && propagation.extract(ROOT_CONTEXT, carrier);
    const messageSpan = byMessage && trace.getSpanContext(byMessage);
    const headerSpan = trace.getSpanContext(byHeader);
    if (!byMessage || !messageSpan || !api.isSpanContextValid(messageSpan)) return { parent: byHeader, links: [] };
    if (!headerSpan || !api.isSpanContextValid(headerSpan)) return { parent: byMessage, links: [] };
    return { parent: byHeader, links: headerSpan.spanId === messageSpan.spanId ? [] : [{ context: messageSpan }] };
  }

  return {
    request(req) {
      const started = performance.now();
      let token: Pick<AccessToken, 'subject' | 'clientId'> | undefined;
      let asked: Asked = {};
      let opened: { readonly span: Span; readonly context: Context } | undefined;

      /** Only now, because the message may say whose child it is; it began when the request came. */
      function open() {
        if (opened) return opened;
        const { parent, links } = parentage(req, asked, token !== undefined);
        const method = methodLabel(req.method);
        const span = tracer.startSpan(
          method,
          {
            kind: SpanKind.SERVER,
            startTime: started,
            // What a sampler may decide by; the rest is for those that are sent.
            attributes: { 'http.request.method': method, ...askedAttributes(asked) },
            links,
          },
          parent,
        );
        opened = { span, context: trace.setSpan(parent, span) };
        return opened;
      }

      return {
        get traceId() {
          return opened?.span.spanContext().traceId;
        },
        caller(given) {
          token = given;
        },
        message(given) {
          asked = given;
        },
        target(url) {
          const { context } = open();
          const method = methodLabel(req.method);
          const span = tracer.startSpan(
            method,
            { kind: SpanKind.CLIENT, attributes: { 'http.request.method': method, ...askedAttributes(asked) } },
            context,
          );
          if (span.isRecording()) {
            span.setAttributes({
              'server.address': url.hostname,
              'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
              'url.scheme': url.protocol.slice(0, -1),
            });
          }
          const carrier: Record<string, string> = {};
          propagation.inject(trace.setSpan(context, span), carrier);
          return {
            headers: { ...noTraceHeaders, ...carrier },
            answered(status) {
              span.setAttribute('http.response.status_code', status);
              span.addEvent('answered');
              // As a client: 4xx too, because the target found fault with what came from us.
              if (status >= 400) fail(span, String(status));
            },
            end(outcome) {
              span.setAttribute('gatehouse.outcome', outcome);
              if (outcome !== 'answered' && outcome !== 'insufficient_scope') fail(span, outcome);
              span.end();
            },
          };
        },
        end({ path, route, status, outcome, resource, reason, requestId }) {
          const { span } = open();
          // Not sampled: there is nothing to be told.
          if (!span.isRecording()) return span.end();
          if (route !== 'other') span.updateName(`${methodLabel(req.method)} ${route}`);
          span.setAttributes({
            ...ours,
            'network.protocol.version': req.httpVersion,
            'url.path': path,
            'gatehouse.outcome': outcome,
            ...(token && {
              'gatehouse.person': token.subject.slice(0, 8),
              'gatehouse.client': logName(token.clientId),
            }),
            ...(route !== 'other' && { 'http.route': route }),
            ...(status !== undefined && { 'http.response.status_code': status }),
            ...(resource !== undefined && { 'gatehouse.resource': resource }),
            ...(reason !== undefined && { 'gatehouse.reason': reason }),
            ...(requestId !== undefined && { 'gatehouse.request_id': requestId }),
          });
          if (status === undefined || status >= 500) fail(span, status === undefined ? outcome : String(status));
          span.end(performance.now());
        },
      };
    },
  };

  function fail(span: Span, type: string): void {
    span.setAttribute('error.type', type);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
}

function askedAttributes({ method, tool }: Asked): Attributes {
  return {
    ...(method !== undefined && { 'mcp.method.name': shown(method) }),
    ...(tool !== undefined && { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': shown(tool) }),
  };
}

/** More than this is no trace context. */
const maxMetaLength = 16 * 1024;

function carrierIn(meta: string | undefined): Record<string, string> | undefined {
  if (meta === undefined || meta.length > maxMetaLength || !meta.includes('"traceparent"')) return undefined;
  const given: unknown = JSON.parse(meta);
  if (typeof given !== 'object' || given === null) return undefined;
  return Object.fromEntries(
    ['traceparent', 'tracestate', 'baggage'].flatMap((name): Array<[string, string]> => {
      const value = (given as Readonly<Record<string, unknown>>)[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
