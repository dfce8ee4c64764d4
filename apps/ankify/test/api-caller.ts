/** A started Ankify with speech and a model, and a caller of its API that holds every answer against the document. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@cfworker/json-schema';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import type { Model } from '@mcp-gatehouse/models';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { openDirectoryBlobs } from '../src/blobs/directory.ts';
import { type ServerRecords, serverKinds } from '../src/rooms.ts';
import { type AnkifyOptions, startAnkify } from '../src/server.ts';
import { espeakSpeech } from '../src/speech/espeak.ts';
import type { LogEvent } from '../src/tools/tool-context.ts';

export const gatewaySecret = 'a-secret-of-the-gateway';
export const publicUrl = 'https://gate.example/ankify';

// biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of it.
export type Json = any;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
  readonly bytes: Uint8Array;
}

export interface CallOptions {
  readonly user?: string;
  readonly scope?: readonly string[];
  readonly json?: unknown;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
}

export type Api = (method: string, path: string, options?: CallOptions) => Promise<Reply>;

export interface ApiService {
  readonly url: string;
  readonly api: Api;
  readonly events: LogEvent[];
  readonly clock: { seconds: number };
  readonly document: Json;
  /** `GET /decks 200` for every documented answer that was seen and held against the document. */
  readonly seen: Set<string>;
  headers(user: string, scope?: readonly string[]): Record<string, string>;
  close(): Promise<void>;
}

export const bothScopes = ['generate_deck', 'list_decks'];

/** `speech`: by the installed program; `model`: what to answer. */
export async function startApi(
  given: { readonly speech?: boolean; readonly model?: Model } & Partial<
    Pick<AnkifyOptions, 'quotas' | 'records'>
  > = {},
): Promise<ApiService> {
  const folder = mkdtempSync(join(tmpdir(), 'ankify-api-'));
  const clock = { seconds: 1_795_000_000 };
  const now = () => clock.seconds;
  const records = given.records ?? memoryRecords<ServerRecords>({ kinds: serverKinds, now });
  const blobs = await openDirectoryBlobs({ directory: join(folder, 'blobs'), now });
  const events: LogEvent[] = [];
  const ankify = await startAnkify({
    records,
    publicUrl,
    secret: gatewaySecret,
    linkKey: randomBytes(32),
    blobs,
    now,
    log: (event) => events.push(event),
    ...(given.speech && { speech: await espeakSpeech() }),
    ...(given.model && { model: given.model }),
    ...(given.quotas && { quotas: given.quotas }),
  });
  const headers: ApiService['headers'] = (user, scope = bothScopes) =>
    Object.fromEntries(
      writeIdentityHeaders(
        { subject: user, clientId: 'page', scope } as Parameters<typeof writeIdentityHeaders>[0],
        gatewaySecret,
      ),
    );
  const base = `${ankify.url}/api`;
  const document: Json = await (await fetch(`${base}/openapi.json`, { headers: headers('setup') })).json();
  const seen = new Set<string>();
  return {
    url: ankify.url,
    events,
    clock,
    document,
    seen,
    headers,
    async api(method, path, { user = 'anna', scope, json, body, headers: more } = {}) {
      const response = await fetch(base + path, {
        method,
        headers: {
          ...headers(user, scope),
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...more,
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        ...(body !== undefined && { body }),
      });
      const bytes = await response.bytes();
      const type = response.headers.get('content-type') ?? '';
      const value = /json/.test(type) ? JSON.parse(Buffer.from(bytes).toString()) : undefined;
      check(document, seen, { method, path, status: response.status, type, value });
      return { status: response.status, headers: response.headers, json: value, bytes };
    },
    async close() {
      await ankify.close();
      await blobs.close();
      if (!given.records) await records.close();
      rmSync(folder, { recursive: true });
    },
  };
}

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly type: string;
  readonly value: unknown;
}

/** Throws if the answer is none that the document promises. */
function check(document: Json, seen: Set<string>, { method, path, status, type, value }: Seen): void {
  const plain = path.split('?', 1)[0] ?? '';
  const template = Object.keys(document.paths).find((one) =>
    new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain === '' ? '/' : plain),
  );
  const operation = template && document.paths[template][method === 'HEAD' ? 'get' : method.toLowerCase()];
  if (!operation) return; // no route: nothing is promised
  const promised = operation.responses[status];
  const where = `${method} ${template} ${status}`;
  if (!promised) throw new Error(`${where} is not in the document: ${JSON.stringify(value)}`);
  seen.add(where);
  const media = promised.content?.[type.split(';', 1)[0] ?? ''];
  if (promised.content && !media) throw new Error(`${where} has the type ${type}, which is not in the document`);
  if (!media?.schema || value === undefined || method === 'HEAD') return;
  const validator = new Validator({ ...media.schema, components: document.components }, '2020-12', false);
  const { valid, errors } = validator.validate(value);
  if (!valid) throw new Error(`${where}: ${JSON.stringify(errors.slice(-3))} in ${JSON.stringify(value)}`);
}

export const animals = {
  name: 'Sprachen::Deutsch',
  note_type: 'reversed',
  front_language: 'de',
  back_language: 'English',
  cards: [
    { front: 'Hund', back: 'dog', tags: ['pet', 'top 10'] },
    { front: 'Katze', back: 'cat', extra: 'die Katze' },
    { front: 'Maus', back: 'mouse' },
  ],
};

export const problem = (kind: string) => `tag:ankify,2026:problems/${kind}`;

/** Seen in api-jobs.test.ts. */
export const spokenAnswers = [
  'GET /audio 200',
  'GET /audio 206',
  'GET /decks/{deck_id}/export 202',
  'GET /jobs/{job_id} 200',
  'POST /decks/{deck_id}/audio 202',
  'POST /generate 202',
];
