/** The JSON of the API as the page reads it; the same words as on the wire. */

export type NoteType = 'basic' | 'reversed' | 'cloze';
export type Speech = 'off' | 'device' | 'recorded';
export type Side = 'front' | 'back';

export interface Deck {
  readonly deck_id: string;
  readonly name: string;
  readonly note_type: NoteType;
  readonly card_count: number;
  readonly front_language?: string;
  readonly back_language?: string;
  readonly audio: Speech;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface CardText {
  readonly front: string;
  readonly back: string;
  readonly extra?: string;
  readonly tags: readonly string[];
  readonly front_language?: string;
  readonly back_language?: string;
}

export interface Card extends CardText {
  readonly card_id: string;
  readonly position: number;
  readonly updated_at: string;
}

export interface Job {
  readonly job_id: string;
  readonly kind: 'speech' | 'generate';
  readonly deck_id?: string;
  readonly state: 'waiting' | 'working' | 'done' | 'failed';
  readonly done: number;
  /** 0: not known yet. */
  readonly total: number;
  readonly error?: string;
  readonly note?: string;
}

export interface About {
  readonly name: string;
  readonly version: string;
  readonly speech: { readonly provider: string } | null;
  readonly model: string | null;
  readonly limits: { readonly cards_per_deck: number };
}

export interface Amount {
  readonly used: number;
  readonly limit: number;
}

export interface Usage {
  readonly month: string;
  readonly resets_at: string;
  readonly characters: Amount;
  readonly model_tokens: Amount;
  readonly decks: Amount;
}

export interface ParsedCard extends CardText {
  readonly row: number;
  readonly last_row?: number;
}

export interface ParseError {
  readonly row: number;
  readonly reason: string;
  readonly text: string;
}

export interface Parsed {
  readonly format: string;
  readonly note_type: NoteType;
  readonly cards: readonly ParsedCard[];
  readonly errors: readonly ParseError[];
}

export interface NewDeck {
  readonly name: string;
  readonly note_type: NoteType;
  readonly front_language?: string;
  readonly back_language?: string;
  readonly audio: Speech;
  readonly cards: readonly CardText[];
}

export interface Generate {
  readonly topic: string;
  readonly name?: string;
  readonly note_type: NoteType;
  readonly front_language?: string;
  readonly back_language?: string;
  readonly audio: Speech;
  readonly count: number;
}

export interface CardsEdit {
  readonly version: number;
  readonly add?: ReadonlyArray<CardText & { readonly at: number }>;
  readonly update?: ReadonlyArray<{
    readonly card_id: string;
    readonly front?: string;
    readonly back?: string;
    readonly extra?: string | null;
    readonly tags?: readonly string[];
  }>;
  readonly delete?: readonly string[];
  readonly order?: readonly string[];
}

export interface DeckPatch {
  readonly version: number;
  readonly name?: string;
  readonly front_language?: string | null;
  readonly back_language?: string | null;
  readonly audio?: Speech;
}

export interface Export {
  readonly status: 'ready';
  readonly download_url: string;
  readonly expires_at: string;
  readonly file_name: string;
}
