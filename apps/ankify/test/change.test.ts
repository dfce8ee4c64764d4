/** An edit as a pure function: what changes, what stays, and that a card is never another one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cardsPerNote } from '../src/anki/ids.ts';
import { changed, type DeckChange } from '../src/decks/change.ts';
import { DeckRefusal, type DeckWithCards } from '../src/decks/deck.ts';
import { deckOf, madeAt } from './decks.ts';

const three = deckOf({ frontLanguage: 'de-DE' }, [
  { front: 'Hund' },
  { front: 'Katze', extra: 'die' },
  { front: 'Maus' },
]);
const later = madeAt + 3600;
const fronts = ({ cards }: DeckWithCards) => cards.map(({ front }) => front);
const idOf = (position: number) => three.cards[position - 1]?.id ?? '';
const edit = (change: DeckChange, from = three, now = later) => changed(from, change, now);

describe('cards', () => {
  test('an update changes one card, keeps its ids, and moves only its time', () => {
    const after = edit({ update: [{ card: idOf(2), back: 'cat', tags: ['pet'] }] });
    expect(after.deck).toEqual({ ...three.deck, version: 2, cardsMade: 3, updatedAt: later });
    expect(after.cards).toEqual([
      three.cards[0],
      { ...three.cards[1], back: 'cat', tags: ['pet'], updatedAt: later },
      three.cards[2],
    ]);
  });

  test('by position, an empty text takes extra away', () => {
    const [, second] = edit({ update: [{ card: 2, extra: '' }] }).cards;
    expect(second).not.toHaveProperty('extra');
    expect(second).toMatchObject({ id: idOf(2), front: 'Katze', updatedAt: later });
  });

  test('an update that changes nothing is no edit', () => {
    expect(edit({ update: [{ card: 1, front: 'Hund' }], name: three.deck.name, order: [1, 2, 3] })).toEqual(three);
    expect(edit({}).deck).toBe(three.deck);
  });

  test('two edits within a second: the second is newer for Anki too', () => {
    const first = edit({ update: [{ card: 1, back: 'x' }] }, three, madeAt);
    const second = edit({ update: [{ card: 1, back: 'y' }] }, first, madeAt);
    expect([three, first, second].map(({ cards }) => cards[0]?.updatedAt)).toEqual([madeAt, madeAt + 1, madeAt + 2]);
  });

  test('order, deletion and addition, in that order of effect', () => {
    const change: DeckChange = {
      remove: [1],
      order: [idOf(3)],
      add: [
        { front: 'Kuh', back: 'cow', at: 1 },
        { front: 'Ente', back: 'duck' },
      ],
    };
    const after = edit(change);
    expect(fronts(after)).toEqual(['Kuh', 'Maus', 'Katze', 'Ente']);
    expect(after.cards.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
    // Where a card stands is no change of its note: the learner's own edits must survive.
    expect(after.cards[1]?.updatedAt).toBe(madeAt);
    expect(after.deck).toMatchObject({ cardCount: 4, cardsMade: 5 });
  });

  test('a deleted card’s ids are never given again', () => {
    const without = edit({ remove: [3] });
    const again = edit({ add: [{ front: 'Maus', back: 'mouse' }] }, without);
    expect(again.cards[2]?.id).not.toBe(three.cards[2]?.id);
    expect(again.cards[2]?.ankiNoteId).toBe((three.cards[2]?.ankiNoteId ?? 0) + cardsPerNote('basic'));
  });

  test('recorded speech is part of the notes: all that have a clip change', () => {
    const mixed = deckOf({ frontLanguage: 'de-DE' }, [{}, { frontLanguage: 'fr-FR' }]);
    const recorded = edit({ speech: 'recorded' }, mixed);
    expect(recorded.cards.map(({ updatedAt }) => updatedAt)).toEqual([later, later]);
    const english = edit({ frontLanguage: 'en' }, recorded, later + 60);
    expect(english.cards.map(({ updatedAt }) => updatedAt)).toEqual([later + 60, later]);
    expect(edit({ speech: 'device' }, three).cards).toEqual(three.cards);
  });
});

describe('refusals change nothing and name everything', () => {
  test.each<[string, DeckChange, RegExp]>([
    ['an unknown card', { update: [{ card: 'x', back: 'y' }] }, /update: there is no card "x" in this deck/],
    ['a position beyond', { remove: [4] }, /delete: there is no card 4/],
    ['position 0', { remove: [0] }, /no card 0/],
    ['a card twice', { remove: [1, idOf(1)] }, /delete: card ".*" is named twice/],
    ['updated and deleted', { update: [{ card: 1, back: 'x' }], remove: [1] }, /is deleted in the same edit/],
    ['ordered and deleted', { order: [1], remove: [1] }, /order: card 1 is deleted/],
    ['an empty front', { update: [{ card: 1, front: ' ' }] }, /update card 1, front: it is empty/],
    ['an empty new card', { add: [{ front: 'a', back: '' }] }, /add 1, back: it is empty/],
    ['NUL', { add: [{ front: 'a\0', back: 'b' }] }, /control character U\+0000/],
    ['no card left', { remove: [1, 2, 3] }, /A deck needs a card\. Use delete_deck/],
    ['301 cards', { add: Array(298).fill({ front: 'a', back: 'b' }) }, /would have 301 cards; at most 300 fit/],
    ['301 changes', { add: Array(301).fill({ front: 'a', back: 'b' }) }, /has 301 changes; at most 300/],
    ['a large card', { add: Array(25).fill({ front: 'x'.repeat(16_000), back: 'b' }) }, /at most 350000 fit one deck/],
    ['a bad name', { name: 'a::' }, /each part needs a text/],
    ['an unknown language', { backLanguage: 'Klingon' }, /back_language: no voice is known/],
    ['speech without a language', { frontLanguage: '', speech: 'device' }, /audio "device" needs front_language/],
  ])('%s', (_, change, message) => {
    const before = structuredClone(three);
    expect(() => edit(change)).toThrow(DeckRefusal);
    expect(() => edit(change)).toThrow(message);
    expect(three).toEqual(before);
  });

  test('a deck that has had ten thousand cards takes no more', () => {
    const full = { ...three, deck: { ...three.deck, cardsMade: 10_000 } };
    expect(() => edit({ add: [{ front: 'a', back: 'b' }] }, full)).toThrow(/has had 10000 cards over time/);
  });

  test('a cloze deck keeps its note type', () => {
    const cloze = deckOf({ noteType: 'cloze' }, [{ front: 'A {{c1::b}}' }]);
    expect(() => edit({ add: [{ front: 'plain' }] }, cloze)).toThrow(/add 1, front: it has no cloze/);
  });
});

test('after any edits: positions are whole, ids are unique and never change their card', () => {
  const text = fc.constantFrom('a', 'b', 'c', '<script>', 'שלום', '-v', '🦊');
  const position = fc.integer({ min: 1, max: 6 });
  const change = fc.record({
    update: fc.array(fc.record({ card: position, back: text }), { maxLength: 2 }),
    remove: fc.array(position, { maxLength: 2 }),
    order: fc.array(position, { maxLength: 3 }),
    add: fc.array(fc.record({ front: text, back: text, at: fc.option(position, { nil: undefined }) }), {
      maxLength: 3,
    }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      let state = three;
      const noteOf = new Map(state.cards.map(({ id, ankiNoteId }) => [id, ankiNoteId]));
      for (const [step, one] of changes.entries()) {
        const before = state;
        try {
          state = changed(before, one, madeAt + step);
        } catch (error) {
          if (!(error instanceof DeckRefusal)) throw error;
          continue;
        }
        expect(state.cards.map((card) => card.position)).toEqual(state.cards.map((_, index) => index + 1));
        expect(state.deck.cardCount).toBe(state.cards.length);
        const old = new Map(before.cards.map((card) => [card.id, card]));
        for (const card of state.cards) {
          const was = old.get(card.id);
          expect(noteOf.get(card.id) ?? card.ankiNoteId).toBe(card.ankiNoteId);
          if (!was) expect(noteOf.has(card.id)).toBe(false);
          noteOf.set(card.id, card.ankiNoteId);
          if (was) expect(card.updatedAt > was.updatedAt).toBe(card.back !== was.back);
        }
        expect(new Set(noteOf.values()).size).toBe(noteOf.size);
      }
    }),
    { numRuns: 500 },
  );
});
