/**
 * A server that speaks the wire protocol of a service of Amazon: it checks the signature of every request (SigV4) and
 * holds it against the published model before the test decides what is answered.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';
import { faults, type Member, publishedModel, type ServiceModel } from './service-model.ts';

export const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'a-secret-of-the-test',
  sessionToken: 'session',
};
export const region = 'eu-central-1';

export interface AwsCall {
  readonly operation: string;
  /** By the names of the model, wherever the transport carries them; without the body of S3. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** From 1, of this operation. */
  readonly attempt: number;
}

export interface AwsAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfter?: number;
  /** After so many bytes of the body nothing more is sent, and the connection stays. */
  readonly stallAfter?: number;
  /** Nothing is ever answered. */
  readonly silent?: boolean;
}

export interface AwsService {
  readonly endpoint: string;
  readonly calls: AwsCall[];
  /** What was wrong with requests: unsigned, wrongly signed, or not as the model has it. */
  readonly problems: string[];
  /** Undefined where the published models are not on this machine. */
  readonly model: ServiceModel | undefined;
  close(): Promise<void>;
}

export interface AwsServiceOptions {
  /** Of the model, such as `polly`. */
  readonly service: string;
  /** In the signature, where it is another. */
  readonly signingName?: string;
  /** Method and path of each operation; held against the model where it is there. */
  readonly operations: Readonly<Record<string, string>>;
  readonly answer: (call: AwsCall) => AwsAnswer | Promise<AwsAnswer>;
  /** Milliseconds since the epoch, for presigned addresses. */
  readonly now?: () => number;
}

export async function startAwsService(options: AwsServiceOptions): Promise<AwsService> {
  const { service, answer } = options;
  const model = publishedModel(service);
  const calls: AwsCall[] = [];
  const problems: string[] = [];
  for (const [name, route] of Object.entries(options.operations)) {
    const http = model?.operations[name]?.http;
    if (model && `${http?.method} ${http?.requestUri}` !== route) problems.push(`${name} is not ${route} in the model`);
  }
  const server = createServer((request, response) => {
    void (async () => {
      const body = await readAll(request);
      const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const raw = { method: request.method ?? '', url, headers, body };
      const signed = await signatureFault(raw, options.signingName ?? service, options.now ?? Date.now);
      if (signed) problems.push(signed);
      const [operation, parts] = routed(options.operations, raw.method, url) ?? [];
      if (!operation || !parts) {
        problems.push(`no operation is ${raw.method} ${url.pathname}`);
        return send(response, { status: 404, body: '{}' });
      }
      const input = model ? inputOf(model, operation, raw, parts, problems) : rawInput(raw, parts);
      const attempt = calls.filter((call) => call.operation === operation).length + 1;
      const call = { operation, input, headers, query: url.searchParams, body, attempt };
      calls.push(call);
      send(response, signed ? { status: 403, body: '{"message":"signature"}' } : await answer(call));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    problems,
    model,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Raw {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function send(
  response: ServerResponse,
  { status = 200, headers = {}, body = '', cutAfter, stallAfter, silent }: AwsAnswer,
): void {
  if (silent) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  if (stallAfter !== undefined) return void response.write(Buffer.from(body).subarray(0, stallAfter));
  if (cutAfter === undefined) return void response.end(body);
  response.write(Buffer.from(body).subarray(0, cutAfter), () => response.destroy());
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `POST /model/{modelId}/converse` → the values of its braces. */
function routed(operations: Readonly<Record<string, string>>, method: string, url: URL) {
  for (const [name, route] of Object.entries(operations)) {
    const [wanted, template = ''] = route.split(' ');
    const names = Array.from(template.matchAll(/\{(\w+)\+?\}/g), ([, part = '']) => part);
    const pattern = template.replace(/\{\w+\+\}/g, '(.+)').replace(/\{\w+\}/g, '([^/]+)');
    const found = new RegExp(`^${pattern}$`).exec(url.pathname);
    if (wanted !== method || !found) continue;
    return [
      name,
      Object.fromEntries(names.map((part, at) => [part, decodeURIComponent(found[at + 1] ?? '')])),
    ] as const;
  }
  return undefined;
}

function rawInput({ headers, body }: Raw, parts: Readonly<Record<string, string>>): Record<string, unknown> {
  return { ...parts, ...(headers['content-type'] === 'application/json' && JSON.parse(body.toString())) };
}

/** Headers of the protocol and of the client, which no model lists. */
const protocolHeaders = /^x-amz-(date|content-sha256|security-token|user-agent|trace-id)$/;

function inputOf(
  model: ServiceModel,
  operation: string,
  raw: Raw,
  parts: Readonly<Record<string, string>>,
  problems: string[],
): Record<string, unknown> {
  const shapeName = model.operations[operation]?.input?.shape ?? '';
  const shape = model.shapes[shapeName];
  const input: Record<string, unknown> = {};
  const headersLeft = new Set(
    Object.keys(raw.headers).filter((name) => name.startsWith('x-amz-') && !protocolHeaders.test(name)),
  );
  const queryLeft = new Set(Array.from(raw.url.searchParams.keys()).filter((name) => !/^(x-id|X-Amz-.*)$/.test(name)));
  const typed = (member: Member, text: string) => {
    const type = model.shapes[member.shape]?.type ?? '';
    if (type === 'boolean') return text === 'true';
    return ['integer', 'long'].includes(type) ? Number(text) : text;
  };
  for (const [name, member] of Object.entries(shape?.members ?? {})) {
    const wire = member.locationName ?? name;
    if (member.location === 'uri') input[name] = parts[wire];
    else if (member.location === 'header') {
      // A presigned address carries headers as parameters.
      const value = raw.headers[wire.toLowerCase()] ?? raw.url.searchParams.get(wire.toLowerCase());
      if (value !== null && name !== 'ContentLength') input[name] = typed(member, value);
      headersLeft.delete(wire.toLowerCase());
      queryLeft.delete(wire.toLowerCase());
    } else if (member.location === 'headers') {
      const found = Object.entries(raw.headers).filter(([header]) => header.startsWith(wire.toLowerCase()));
      if (found.length > 0)
        input[name] = Object.fromEntries(found.map(([key, value]) => [key.slice(wire.length), value]));
      for (const [header] of found) headersLeft.delete(header);
    } else if (member.location === 'querystring') {
      const value = raw.url.searchParams.get(wire);
      if (value !== null) input[name] = typed(member, value);
      queryLeft.delete(wire);
    }
  }
  for (const name of headersLeft) problems.push(`${operation}: the model has no header ${name}`);
  for (const name of queryLeft) problems.push(`${operation}: the model has no query parameter ${name}`);
  if (!shape?.payload && raw.body.length > 0) Object.assign(input, JSON.parse(raw.body.toString()));
  problems.push(...faults(model, shapeName, input));
  return input;
}

/** A hash or HMAC as the signer wants it. */
class Sha256 {
  readonly #parts: Buffer[] = [];
  readonly #secret: Buffer | undefined;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? undefined : bytesOf(secret);
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#parts.push(bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    const hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
    return new Uint8Array(hash.update(Buffer.concat(this.#parts)).digest());
  }
  reset(): void {
    this.#parts.length = 0;
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

/** Signs the request once more, with the same secret and moment, and compares. Undefined: the signature is right. */
async function signatureFault(raw: Raw, service: string, now: () => number): Promise<string | undefined> {
  const { method, url, headers, body } = raw;
  const query = Object.fromEntries(url.searchParams);
  const isPresigned = 'X-Amz-Signature' in query;
  const scope = isPresigned ? query['X-Amz-Credential'] : /Credential=([^,]+)/.exec(headers.authorization ?? '')?.[1];
  const given = isPresigned
    ? query['X-Amz-Signature']
    : /Signature=([0-9a-f]{64})/.exec(headers.authorization ?? '')?.[1];
  const names = isPresigned
    ? query['X-Amz-SignedHeaders']
    : /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1];
  const stamp = (isPresigned ? query['X-Amz-Date'] : headers['x-amz-date']) ?? '';
  if (!given || !names || !/^\d{8}T\d{6}Z$/.test(stamp)) return `${method} ${url.pathname} is not signed`;
  if (scope !== `${credentials.accessKeyId}/${stamp.slice(0, 8)}/${region}/${service}/aws4_request`) {
    return `${method} ${url.pathname} is signed for ${scope}`;
  }
  const signingDate = new Date(stamp.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
  const age = now() / 1000 - signingDate.getTime() / 1000;
  const expiresIn = Number(query['X-Amz-Expires']);
  if (isPresigned && !(age >= -60 && age <= expiresIn)) return `${url.pathname}: the address has expired`;
  const hashed = headers['x-amz-content-sha256'];
  if (hashed && /^[0-9a-f]{64}$/.test(hashed) && hashed !== createHash('sha256').update(body).digest('hex')) {
    return `${method} ${url.pathname}: the body is not the one that was signed`;
  }
  const signed = new Set(names.split(';'));
  const signer = new SignatureV4({
    service,
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
    uriEscapePath: service !== 's3',
  });
  const request = {
    method,
    protocol: 'http:',
    hostname: url.hostname,
    path: url.pathname,
    query: Object.fromEntries(
      Object.entries(query).filter(
        ([name]) =>
          !/^X-Amz-(Signature|Algorithm|Credential|Date|Expires|SignedHeaders|Security-Token|Content-Sha256)$/.test(
            name,
          ),
      ),
    ),
    headers: {
      ...Object.fromEntries(Object.entries(headers).filter(([name]) => signed.has(name))),
      ...(isPresigned && { 'X-Amz-Content-Sha256': query['X-Amz-Content-Sha256'] ?? '' }),
    },
    body,
  };
  const expected = isPresigned
    ? String(
        (await signer.presign(request, { signingDate, expiresIn, signableHeaders: signed })).query?.['X-Amz-Signature'],
      )
    : /Signature=([0-9a-f]{64})/.exec(
        (await signer.sign(request, { signingDate, signableHeaders: signed })).headers.authorization ?? '',
      )?.[1];
  const isRight = expected?.length === given.length && timingSafeEqual(Buffer.from(expected), Buffer.from(given));
  return isRight ? undefined : `${method} ${url.pathname}: the signature is wrong`;
}
