/** What every tool shares: the caller and his shelf, how an answer and a refusal look, and the words of the schemas. */
import { ContentionError } from '@mcp-gatehouse/records';
import type { CallToolResult } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { apkgMediaType } from '../anki/apkg.ts';
import { type Card, type Deck, DeckConflict, DeckRefusal } from '../decks/deck.ts';
import type { Shelf } from '../decks/shelf.ts';
import { fileName } from '../exports/file-name.ts';
import { isJobId, type Jobs } from '../jobs/jobs.ts';
import type { PendingSpeech } from '../jobs/pending-speech.ts';

export interface ToolContext {
  /** The subject of the user who calls; every deck is looked up under it. */
  readonly owner: string;
  /** What the user allowed the client. */
  readonly scopes: readonly string[];
  readonly shelf: Shelf;
  /** Absent: this process does no long work: no recorded speech, no language model. */
  readonly jobs?: Jobs;
  readonly pendingSpeech?: PendingSpeech;
  /** How long a call waits for a job before it answers with the job's id. */
  readonly patienceSeconds?: number;
  readonly link: (deck: Deck) => { readonly url: string; readonly expiresAt: number };
  readonly log: (event: LogEvent) => void;
}

export interface LogEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The scopes of Ankify: the first makes, exports and deletes decks, the second reads them. */
export const scopes = { write: 'generate_deck', read: 'list_decks' } as const;

export const deckIdInput = z
  .string()
  .max(64, 'deck_id: it is too long; take a deck_id from list_decks')
  .describe('The deck_id that generate_deck, create_deck, convert_TSV_to_Anki_deck or list_decks returned.');

export const audioSchema = z.enum(['off', 'device', 'recorded']);
export const noteTypeSchema = z.enum(['basic', 'reversed', 'cloze']);
export const timeSchema = z.string().describe('RFC 3339, UTC.');

/** Missing, malformed and somebody else's look alike (the ids of others must not be guessable by their answers). */
export function noSuchDeck(deckId: string): DeckRefusal {
  return new DeckRefusal(
    `There is no deck ${JSON.stringify(deckId)} among your decks. Call list_decks to see their ids.`,
  );
}

/** UUIDs only: anything else is no deck, and never reaches the database as a key. */
export function isDeckId(deckId: string): boolean {
  return isJobId(deckId);
}

export function deckUri(deckId: string): string {
  return `ankify://decks/${deckId}`;
}

/** Runs a tool; a refusal becomes a tool error in its own words, a fault one that gives nothing away. */
export async function answer(
  context: ToolContext,
  tool: string,
  run: () => Promise<CallToolResult>,
): Promise<CallToolResult> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof DeckRefusal || error instanceof DeckConflict) return toolError(error.message);
    if (error instanceof ContentionError) return toolError('The deck was being changed at the same time. Call again.');
    context.log({ event: 'tool.failed', tool, error: error instanceof Error ? error.stack : String(error) });
    return toolError(`${tool} failed because of a fault in Ankify; nothing was changed. Try again in a minute.`);
  }
}

export function toolError(text: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text }] };
}

export const packageOutput = {
  download_url: z.string().describe('The .apkg file. Anyone who has the link can download it until it expires.'),
  expires_at: timeSchema.describe('When the link expires (RFC 3339, UTC). export_deck makes a new one.'),
};

/** The package of a deck as the parts of an answer. */
export function packageOf(context: ToolContext, deck: Deck) {
  const { url, expiresAt } = context.link(deck);
  const expires_at = isoTime(expiresAt);
  return {
    structured: { download_url: url, expires_at },
    text: `Download: ${url} (until ${expires_at}). Opening the file in Anki imports it; importing the same deck again duplicates nothing.`,
    resource: {
      type: 'resource_link' as const,
      uri: url,
      name: fileName(deck),
      title: deck.name,
      description: `The Anki package of the deck, until ${expires_at}.`,
      mimeType: apkgMediaType,
    },
  };
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** What list_decks and get_deck tell of a deck. */
export const deckOutput = {
  deck_id: z.string(),
  name: z.string(),
  note_type: noteTypeSchema,
  card_count: z.int().describe('Cards as they were given; a reversed or cloze one becomes several in Anki.'),
  front_language: z.string().optional(),
  back_language: z.string().optional(),
  audio: audioSchema,
  version: z.int().describe('Counts the edits; edit_deck takes it as expected_version.'),
  created_at: timeSchema,
  updated_at: timeSchema,
};

export function describeDeck(deck: Deck) {
  return {
    deck_id: deck.id,
    name: deck.name,
    note_type: deck.noteType,
    card_count: deck.cardCount,
    ...(deck.frontLanguage && { front_language: deck.frontLanguage }),
    ...(deck.backLanguage && { back_language: deck.backLanguage }),
    audio: deck.speech,
    version: deck.version,
    created_at: isoTime(deck.createdAt),
    updated_at: isoTime(deck.updatedAt),
  };
}

export const cardOutput = z.object({
  card_id: z.string(),
  position: z.int(),
  front: z.string(),
  back: z.string(),
  extra: z.string().optional(),
  tags: z.array(z.string()),
  front_language: z.string().optional(),
  back_language: z.string().optional(),
  updated_at: timeSchema,
});

export function describeCard(card: Card) {
  return {
    card_id: card.id,
    position: card.position,
    front: card.front,
    back: card.back,
    ...(card.extra !== undefined && { extra: card.extra }),
    tags: card.tags.slice(),
    ...(card.frontLanguage && { front_language: card.frontLanguage }),
    ...(card.backLanguage && { back_language: card.backLanguage }),
    updated_at: isoTime(card.updatedAt),
  };
}
