/** What the routes are made of: the rooms of the process, each as the others see it. */
import type { Deck } from '../decks/deck.ts';
import type { Shelf } from '../decks/shelf.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { PendingSpeech } from '../jobs/pending-speech.ts';
import type { AudioStore } from '../speech/audio-store.ts';
import type { Speech } from '../speech/speech.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import type { Usage } from '../usage/usage.ts';

export interface RecordedSpeech {
  readonly speech: Speech;
  readonly audio: AudioStore;
}

export interface Services {
  readonly shelf: Shelf;
  readonly jobs: Jobs;
  readonly usage: Usage;
  /** Absent: this process records no speech. */
  readonly recorded?: RecordedSpeech;
  /** `provider:model`; absent: there is none. */
  readonly modelName?: string;
  /** A download link for the deck as it is. */
  readonly link: (deck: Deck) => { readonly url: string; readonly expiresAt: number };
  readonly pendingSpeech: PendingSpeech;
  readonly now: () => number;
  readonly log: (event: LogEvent) => void;
}
