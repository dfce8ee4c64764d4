/** The rooms of Ankify put together, for whoever answers requests: the only file that knows every one of them. */
import type { Model } from '@mcp-gatehouse/models';
import type { Kinds } from '@mcp-gatehouse/records';
import { type ApiRecords, apiKinds } from './api/idempotency.ts';
import type { Services } from './api/services.ts';
import type { Blobs } from './blobs/blobs.ts';
import { type AnkifyRecords, ankifyKinds, type Deck, type DeckRecords } from './decks/deck.ts';
import { createShelf } from './decks/shelf.ts';
import { type Download, download } from './exports/download.ts';
import { linkLifetimeSeconds, sealLink } from './exports/link.ts';
import { createPackages } from './exports/packages.ts';
import { generateRun } from './generate/generate-job.ts';
import { createJobs } from './jobs/jobs.ts';
import { pendingSpeech } from './jobs/pending-speech.ts';
import { speechRun } from './jobs/speech-job.ts';
import { audioStore } from './speech/audio-store.ts';
import type { Speech } from './speech/speech.ts';
import type { LogEvent } from './tools/tool-context.ts';
import { type Amounts, createUsage } from './usage/usage.ts';

/** Of one database: what the decks, the jobs and the API keep. */
export type ServerRecords = AnkifyRecords & ApiRecords;

export const serverKinds: Kinds<ServerRecords> = { ...ankifyKinds, ...apiKinds };

export interface RoomsOptions {
  readonly records: DeckRecords;
  /** Without a trailing slash; the base of the download links. */
  readonly publicUrl: string;
  readonly linkKey: Uint8Array;
  /** Absent: packages are written for each download, and nothing is recorded. */
  readonly blobs?: Blobs;
  /** Takes `blobs`. */
  readonly speech?: Speech;
  readonly model?: Model;
  /** Each replaces one of the limits of a user and month. */
  readonly quotas?: Amounts;
  readonly now: () => number;
  readonly log: (event: LogEvent) => void;
}

export interface Rooms extends Services {
  /** What a download link stands for. */
  readonly download: (token: string) => Promise<Download>;
  /** The jobs are given back: the next start goes on with them. */
  close(): Promise<void>;
}

export function openRooms(options: RoomsOptions): Rooms {
  const { records, publicUrl, linkKey, blobs, speech, model, quotas, now, log } = options;
  const usage = createUsage({ records, now, ...(quotas && { limits: quotas }) });
  const shelf = createShelf(records, now, usage);
  const recorded = speech && blobs ? { speech, audio: audioStore({ blobs, speech, now }) } : undefined;
  const jobs = createJobs({
    records,
    now,
    log,
    runs: {
      ...(recorded && { speech: speechRun({ shelf, usage, now, ...recorded }) }),
      ...(model && { generate: generateRun({ model, shelf, usage, log, now }) }),
    },
  });
  const packages = blobs && createPackages({ records, blobs, now, ...(recorded && { recording: recorded }) });
  return {
    shelf,
    jobs,
    usage,
    ...(recorded && { recorded }),
    ...(model && { modelName: model.name }),
    now,
    log,
    link(deck: Deck) {
      const expiresAt = Math.floor(now()) + linkLifetimeSeconds;
      return { url: `${publicUrl}/exports/${sealLink(linkKey, deck, expiresAt)}.apkg`, expiresAt };
    },
    pendingSpeech: pendingSpeech({ shelf, jobs, recorded }),
    download: (token) => download({ records, linkKey, now, packages }, token),
    close: () => jobs.close(),
  };
}
