/** What each stored field means: docs/records.md is made of it. Held against the types by the compiler. */
import type { DescribedKinds } from '@mcp-gatehouse/records';
import type { AnkifyRecords } from './deck.ts';

const owner = ['text', 'derived', 'the user it belongs to, as the gateway names them'] as const;

export const describedAnkifyRecords: DescribedKinds<AnkifyRecords> = {
  deck: {
    id: 'a UUID that begins with the time',
    life: 'until it is deleted',
    fields: {
      id: ['text', 'plain', 'its own id'],
      owner,
      name: ['text', 'plain', '`a::b` is deck b in deck a'],
      noteType: ['text', 'plain', '`basic`, `reversed` or `cloze`'],
      'frontLanguage?': ['text', 'plain', 'BCP 47'],
      'backLanguage?': ['text', 'plain', 'BCP 47'],
      speech: ['text', 'plain', 'who reads the cards aloud'],
      cardCount: ['number', 'plain', 'how many cards it has'],
      'cardsMade?': ['number', 'plain', 'how many cards it ever had, if it was edited'],
      version: ['number', 'plain', 'counts the edits; a download link is good for one'],
      'lastEdit?': ['text', 'hashed', 'the edit that made this version, so that it is not made twice'],
      contents: ['text', 'plain', 'id of the `cards` record of this edit'],
      createdAt: ['number', 'plain', 'when it was made'],
      updatedAt: ['number', 'plain', 'when it was last changed'],
    },
  },
  cards: {
    id: 'the deck’s id, the time and a UUID',
    life: 'until the deck’s next edit, or its deletion',
    fields: {
      owner,
      'deckId?': ['text', 'plain', 'the deck they are of'],
      cards: {
        each: {
          id: ['text', 'plain', 'Anki’s GUID of the note: it never changes'],
          ankiNoteId: ['number', 'plain', 'milliseconds since the epoch, unique in the deck'],
          position: ['number', 'plain', 'the order in which Anki shows new cards, from 1'],
          front: ['text', 'plain', 'what the learner sees'],
          back: ['text', 'plain', 'what they turn up'],
          'extra?': ['text', 'plain', 'shown with the back'],
          tags: ['texts', 'plain', 'Anki’s tags'],
          'frontLanguage?': ['text', 'plain', 'BCP 47, where it differs from the deck’s'],
          'backLanguage?': ['text', 'plain', 'BCP 47, where it differs from the deck’s'],
          updatedAt: ['number', 'plain', 'Anki updates its note only if this is newer'],
        },
      },
    },
  },
  recentDeck: {
    id: 'SHA-256 of owner and content',
    life: '10 minutes',
    fields: {
      owner,
      deckId: ['text', 'plain', 'the deck that this content became'],
      createdAt: ['number', 'plain', 'when'],
    },
  },
  job: {
    id: 'SHA-256 of owner and work, as a UUID',
    life: 'until it has ended, and a day',
    fields: {
      id: ['text', 'derived', 'its own id'],
      owner,
      kind: ['text', 'plain', '`speech` or `generate`'],
      'deckId?': ['text', 'plain', 'the deck it works on, or has made'],
      state: ['text', 'plain', '`waiting`, `working`, `done` or `failed`'],
      done: ['number', 'plain', 'how far it is'],
      total: ['number', 'plain', 'how far it has to go; 0: not known yet'],
      'error?': ['text', 'plain', 'why it failed, for the user'],
      'note?': ['text', 'plain', 'what it did otherwise than asked, for the user'],
      createdAt: ['number', 'plain', 'when it was asked for'],
      updatedAt: ['number', 'plain', 'when it last got on'],
      work: ['JSON', 'plain', 'what is to be done; of a generation the topic or text, and the cards made so far'],
      'runner?': ['text', 'plain', 'the run that holds the lease'],
      leasedUntil: ['number', 'plain', 'from then on another process may run it'],
      notBefore: ['number', 'plain', 'a waiting one is not tried sooner'],
      attempts: ['number', 'plain', 'runs that got nowhere'],
    },
  },
  usage: {
    id: 'the month and the owner',
    life: '400 days after the month',
    fields: {
      owner,
      month: ['text', 'plain', '`2026-11`'],
      decks: ['number', 'plain', 'decks made'],
      cards: ['number', 'plain', 'cards made'],
      characters: ['number', 'plain', 'characters of recorded speech'],
      modelTokens: ['number', 'plain', 'tokens the language model read and wrote'],
    },
  },
};
