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
      version: ['number', 'plain', 'counts the edits; a download link is good for one'],
      contents: ['text', 'plain', 'id of the `cards` record of this edit'],
      createdAt: ['number', 'plain', 'when it was made'],
      updatedAt: ['number', 'plain', 'when it was last changed'],
    },
  },
  cards: {
    id: 'the deck’s id and a UUID',
    life: 'as long as its deck',
    fields: {
      owner,
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
};
