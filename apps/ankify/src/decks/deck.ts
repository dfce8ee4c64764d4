/** Decks and cards as they are kept: the records, their kinds and every bound on their size. */
import type { Kinds, Records } from '@mcp-gatehouse/records';
import type { JobRecord } from '../jobs/job.ts';
import type { Refusal, UsageRecord } from '../usage/usage.ts';

export type NoteType = 'basic' | 'reversed' | 'cloze';
/**
 * `device`: the learner's own machine reads the card aloud, through Anki's `{{tts}}`. `recorded`: the package holds a
 * clip of each side that has a language.
 */
export type Speech = 'off' | 'device' | 'recorded';

export interface Card {
  /** A UUID. Anki's GUID of the note: it never changes, so that a re-import updates the note. */
  readonly id: string;
  /** Milliseconds since the epoch, unique in the deck; the ids of the Anki cards follow it. */
  readonly ankiNoteId: number;
  /** From 1, the order in which Anki shows new cards. */
  readonly position: number;
  /** Plain text; in a cloze deck with `{{c1::…}}`. Escaped only when it is written into a package. */
  readonly front: string;
  readonly back: string;
  readonly extra?: string;
  readonly tags: readonly string[];
  /** BCP 47, where the card differs from its deck. */
  readonly frontLanguage?: string;
  readonly backLanguage?: string;
  /** Seconds. Anki updates its note only if this is newer than what it has. */
  readonly updatedAt: number;
}

/** What a deck is, without its cards: small, so that listing a thousand decks stays cheap. */
export interface Deck {
  readonly id: string;
  /** The subject of the user it belongs to. */
  readonly owner: string;
  /** `a::b` is deck b in deck a. */
  readonly name: string;
  readonly noteType: NoteType;
  /** BCP 47, such as `de-DE`. */
  readonly frontLanguage?: string;
  readonly backLanguage?: string;
  readonly speech: Speech;
  readonly cardCount: number;
  /** How many cards it ever had: a number is never given twice. Absent: never edited, all of its cards. */
  readonly cardsMade?: number;
  /** Counts the edits; a download link is good for one version. */
  readonly version: number;
  /** SHA-256 of the edit that made this version: a client that lost the answer sends the same one again. */
  readonly lastEdit?: string;
  /** The id of the `cards` record of this version. */
  readonly contents: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface CardsRecord {
  readonly owner: string;
  /** Absent in what was stored before decks could be edited. */
  readonly deckId?: string;
  readonly cards: readonly Card[];
}

/** Remembers for a while which deck a content became, so that a client that lost the answer gets the same deck again. */
export interface RecentDeck {
  readonly owner: string;
  readonly deckId: string;
  readonly createdAt: number;
}

// A type alias, not an interface: only an alias is assignable to a map of records.
export type AnkifyRecords = {
  deck: Deck;
  cards: CardsRecord;
  recentDeck: RecentDeck;
  job: JobRecord;
  usage: UsageRecord;
};

export const ankifyKinds: Kinds<AnkifyRecords> = {
  deck: { groupOf: (deck) => deck.owner },
  // By deck, so that an edit finds what an interrupted one has left.
  cards: { groupOf: (cards) => cards.deckId ?? cards.owner },
  recentDeck: { groupOf: (recent) => recent.owner },
  // What still has to be done is one group, whoever it belongs to: any process looks there for work.
  job: { groupOf: (job) => (job.state === 'waiting' || job.state === 'working' ? 'open' : `of ${job.owner}`) },
  usage: { groupOf: (usage) => usage.owner },
};

export type DeckRecords = Records<AnkifyRecords>;

export interface DeckWithCards {
  readonly deck: Deck;
  readonly cards: readonly Card[];
}

export const limits = {
  /** One page of `Records.list`, so that counting a user's decks is one read. */
  decksPerUser: 1000,
  cardsPerDeck: 300,
  /** Over all edits: the ids of Anki's cards are as many milliseconds, and must not run into the future. */
  cardsMadePerDeck: 10_000,
  /** Characters of one side of a card. */
  fieldLength: 16_384,
  nameLength: 200,
  nameDepth: 10,
  tagsPerCard: 20,
  tagLength: 100,
  /** Of the cards of one deck as JSON; below the 400 KB of a DynamoDB item. */
  deckBytes: 350_000,
  rowsPerTable: 1000,
  /** Additions, updates and removals of one edit. */
  changesPerEdit: 300,
  /** A lost answer is asked for again within minutes; a deck made anew next week is a new deck. */
  recentSeconds: 600,
} as const;

/** Somebody else edited the deck since the caller read it; nothing was changed. */
export class DeckConflict extends Error {
  override name = 'DeckConflict';
  /** Of the deck now. */
  readonly version: number;

  constructor(version: number) {
    super(`The deck was changed in the meantime; it has version ${version} now. Read it again, then repeat the edit.`);
    this.version = version;
  }
}

/** The caller asked for what cannot be; the message is for the model and says what to do. */
export class DeckRefusal extends Error {
  override name = 'DeckRefusal';
  /** It could be next month: the quota that is used up. */
  readonly quota: Refusal | undefined;

  constructor(message: string, options: { readonly quota?: Refusal } = {}) {
    super(message);
    this.quota = options.quota;
  }
}
