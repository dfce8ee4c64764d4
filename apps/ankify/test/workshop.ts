/** Ankify's long work for the tests: real records on a disk, real blobs, real MCP clients; engines as the test says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import type { Model } from '@mcp-gatehouse/models';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import {
  type CallToolResult,
  Client,
  type Progress,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { openDirectoryBlobs } from '../src/blobs/directory.ts';
import { type AnkifyRecords, ankifyKinds } from '../src/decks/deck.ts';
import { createShelf } from '../src/decks/shelf.ts';
import { generateRun } from '../src/generate/generate-job.ts';
import { createJobs, type JobsOptions } from '../src/jobs/jobs.ts';
import { pendingSpeech } from '../src/jobs/pending-speech.ts';
import { speechRun } from '../src/jobs/speech-job.ts';
import { createMcpEndpoint } from '../src/mcp-endpoint.ts';
import { audioStore } from '../src/speech/audio-store.ts';
import { espeakSpeech } from '../src/speech/espeak.ts';
import type { Speech, Voice } from '../src/speech/speech.ts';
import type { LogEvent } from '../src/tools/tool-context.ts';
import { type Amounts, createUsage } from '../src/usage/usage.ts';
import { bothScopes, type Era, publicUrl, secret } from './service.ts';

export interface WorkshopOptions {
  readonly folder?: string;
  readonly speech?: Speech;
  readonly model?: Model;
  readonly limits?: Amounts;
  readonly patienceSeconds?: number;
  readonly now?: () => number;
  readonly jobs?: Partial<JobsOptions>;
}

export type Workshop = Awaited<ReturnType<typeof openWorkshop>>;

/** Everything below the MCP endpoint. */
export async function openWorkshop(options: WorkshopOptions = {}) {
  const { speech, model, limits, now = () => Date.now() / 1000 } = options;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'workshop-'));
  const records = sqliteRecords<AnkifyRecords>({ kinds: ankifyKinds, file: join(folder, 'records.db'), now });
  const blobs = await openDirectoryBlobs({ directory: join(folder, 'blobs'), now });
  const events: LogEvent[] = [];
  const log = (event: LogEvent) => void events.push(event);
  const usage = createUsage({ records, now, ...(limits && { limits }) });
  const shelf = createShelf(records, now, usage);
  const audio = speech && audioStore({ blobs, speech });
  const recorded = speech && audio && { speech, audio };
  const jobs = createJobs({
    records,
    now,
    log,
    runs: {
      ...(recorded && { speech: speechRun({ shelf, usage, now, ...recorded }) }),
      ...(model && { generate: generateRun({ model, shelf, usage, now, log }) }),
    },
    ...options.jobs,
  });
  return {
    folder,
    records,
    blobs,
    events,
    usage,
    shelf,
    jobs,
    log,
    pendingSpeech: pendingSpeech({ shelf, jobs, recorded }),
    async close() {
      await jobs.close();
      await blobs.close();
      await records.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true });
    },
  };
}

/** The workshop behind its MCP endpoint. */
export async function startWorkshop(options: WorkshopOptions = {}) {
  const workshop = await openWorkshop(options);
  const { shelf, jobs, log } = workshop;
  const { patienceSeconds } = options;
  const mcp = createMcpEndpoint({
    shelf,
    jobs,
    pendingSpeech: workshop.pendingSpeech,
    link: (deck) => ({ url: `${publicUrl}/exports/${deck.id}.${deck.version}.apkg`, expiresAt: 1_800_000_000 }),
    log,
    hostnames: [],
    secret,
    ...(patienceSeconds !== undefined && { patienceSeconds }),
  });
  const server = createServer((request, response) => void mcp.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  const clients: Client[] = [];
  return {
    ...workshop,
    async client(user: string, { era = 'modern', scope = bothScopes }: { era?: Era; scope?: readonly string[] } = {}) {
      const identity = { subject: user, clientId: 'test-client', scope };
      const headers = Object.fromEntries(
        writeIdentityHeaders(identity as Parameters<typeof writeIdentityHeaders>[0], secret),
      );
      const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
      clients.push(client);
      return {
        mcp: client,
        async call(name: string, input: Record<string, unknown>, onprogress?: (progress: Progress) => void) {
          const request = { name, arguments: input };
          const result = (await client.callTool(request, onprogress && { onprogress })) as CallToolResult;
          const text = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
          // biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of it.
          const data = result.structuredContent as any;
          return { isError: result.isError === true, text, data, content: result.content };
        },
      };
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await mcp.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await workshop.close();
    },
  };
}

export interface ScriptedSpeech extends Speech {
  /** Texts in the order in which they were begun. */
  readonly spoken: string[];
  /** Called before each clip; what it throws is what the engine fails with. */
  before: (text: string) => Promise<void> | void;
}

/** An engine whose failures a test decides; every text becomes a few bytes. */
export function scriptedSpeech(): ScriptedSpeech {
  const voice: Voice = { id: 'de', language: 'de', name: 'German', quality: 'robotic' };
  const spoken: string[] = [];
  const speech: ScriptedSpeech = {
    spoken,
    before: () => {},
    provider: 'espeak-ng',
    voices: () => [voice],
    voiceFor: (language) => (language.startsWith('de') ? voice : undefined),
    costOf: () => ({ characters: 0, microDollars: 0 }),
    async speak(text, _, signal) {
      spoken.push(text);
      await speech.before(text);
      signal?.throwIfAborted();
      return new TextEncoder().encode(`clip of ${text}`);
    },
  };
  return speech;
}

/** The espeak-ng program; where it is not installed, a scripted engine that takes as long for a clip. */
export async function installedSpeech(): Promise<Speech> {
  try {
    return await espeakSpeech({ atOnce: 2 });
  } catch {
    const speech = scriptedSpeech();
    speech.before = () => new Promise((resolve) => setTimeout(resolve, 30));
    return speech;
  }
}

/** Opened by the test: holds up whoever comes to it until then. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export const german = (count: number, speech: 'recorded' | 'device' = 'recorded') => ({
  name: 'Deutsch',
  noteType: 'basic' as const,
  frontLanguage: 'de-DE',
  speech,
  cards: Array.from({ length: count }, (_, index) => ({
    front: `Wort ${index + 1}`,
    back: `word ${index + 1}`,
    tags: [],
  })),
});
