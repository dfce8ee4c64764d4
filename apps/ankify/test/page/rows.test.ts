/** The editor's rows against the server's own edit: what is sent makes the deck what the person sees, also after others wrote. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeCard } from '../../src/api/shapes.ts';
import { changed } from '../../src/decks/change.ts';
import type { Deck, DeckWithCards, Card as StoredCard } from '../../src/decks/deck.ts';
import type { Card, CardsEdit } from '../../web/src/api/shapes.ts';
import { editOf, merge, type Row, rowOf, withIds } from '../../web/src/deck/rows.ts';

const now = 1_800_000_000;

const empty: DeckWithCards = {
  deck: {
    id: '01a1fd17-97c4-70af-ab8c-f33c9238e39a',
    owner: 'somebody',
    name: 'Deck',
    noteType: 'basic',
    speech: 'off',
    cardCount: 0,
    version: 1,
    createdAt: now,
    updatedAt: now,
  } as Deck,
  cards: [],
};

const deckOf = (sides: ReadonlyArray<readonly [string, string]>) =>
  changed(empty, { add: sides.map(([front, back]) => ({ front, back })) }, now);

const asCards = (cards: readonly StoredCard[]): readonly Card[] => cards.map((card) => describeCard(card) as Card);

/** What the route of the API makes of the wire. */
function applied(to: DeckWithCards, edit: Omit<CardsEdit, 'version'>): DeckWithCards {
  return changed(
    to,
    {
      add: edit.add?.map(({ front_language: _, back_language: __, ...text }) => text),
      update: edit.update?.map(({ card_id, extra, ...text }) => ({
        ...text,
        card: card_id,
        extra: extra === null ? '' : extra,
      })),
      remove: edit.delete,
      order: edit.order,
    },
    now + 1,
  );
}

type Step =
  | {
      readonly do: 'edit';
      readonly at: number;
      readonly field: 'front' | 'back' | 'extra' | 'tags';
      readonly text: string;
    }
  | { readonly do: 'add'; readonly at: number; readonly text: string }
  | { readonly do: 'remove'; readonly at: number }
  | { readonly do: 'move'; readonly at: number; readonly to: number };

const word = fc.stringMatching(/^[a-zäß<&]{1,6}$/);
const place = fc.nat({ max: 30 });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('edit' as const),
      at: place,
      field: fc.constantFrom('front' as const, 'back' as const, 'extra' as const, 'tags' as const),
      text: word,
    }),
    fc.record({ do: fc.constant('add' as const), at: place, text: word }),
    fc.record({ do: fc.constant('remove' as const), at: place }),
    fc.record({ do: fc.constant('move' as const), at: place, to: place }),
  ),
  { maxLength: 12 },
);
const sides = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 8 });

let made = 0;

function edited(rows: readonly Row[], list: readonly Step[]): readonly Row[] {
  let result = [...rows];
  for (const step of list) {
    const at = result.length === 0 ? 0 : step.at % result.length;
    const row = result[at];
    if (step.do === 'add') {
      made += 1;
      result.splice(at, 0, { key: `new ${made}`, front: `${step.text}${made}`, back: 'x', extra: '', tags: '' });
    } else if (!row) continue;
    else if (step.do === 'edit') result = result.with(at, { ...row, [step.field]: `${step.text}` });
    else if (step.do === 'remove' && result.length > 1) result.splice(at, 1);
    else if (step.do === 'move') {
      result.splice(at, 1);
      result.splice(step.to % (result.length + 1), 0, row);
    }
  }
  return result;
}

const said = ({ front, back, extra, tags }: Row) => [front, back, extra, tags.trim()];

/** Sends until nothing is left, as the page does. */
function saveAll(server: DeckWithCards, base: readonly Card[], rows: readonly Row[]) {
  let state = { server, base, rows };
  for (let calls = 0; ; calls++) {
    const next = editOf(state.base, state.rows, 'basic', () => false);
    if (!next) return { ...state, calls };
    if (calls > 3) throw new Error(`it never comes to rest: ${JSON.stringify(next.edit)}`);
    const after = applied(state.server, next.edit);
    const cards = asCards(after.cards);
    state = { server: after, base: cards, rows: withIds(state.rows, next.sent, cards) };
  }
}

describe('the rows of the editor', () => {
  it('become exactly the cards of the deck, by one call', () => {
    fc.assert(
      fc.property(sides, steps, (start, list) => {
        const server = deckOf(start);
        const base = asCards(server.cards);
        const rows = edited(base.map(rowOf), list);
        const end = saveAll(server, base, rows);
        expect(asCards(end.server.cards).map((card) => said(rowOf(card)))).toEqual(rows.map(said));
        expect(end.rows.map(({ cardId }) => cardId)).toEqual(end.server.cards.map(({ id }) => id));
        expect(end.calls).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  it('meet what others wrote without losing a word of either', () => {
    fc.assert(
      fc.property(sides, steps, steps, (start, mineSteps, theirSteps) => {
        const server = deckOf(start);
        const base = asCards(server.cards);
        const theirs = saveAll(server, base, edited(base.map(rowOf), theirSteps));
        const mine = edited(base.map(rowOf), mineSteps);
        const merged = merge(base, mine, theirs.base);
        const was = new Map(base.map((card) => [card.card_id, rowOf(card)]));
        const conflicting = new Set(merged.conflicts.map(({ key, field }) => `${key} ${field}`));
        for (const row of mine) {
          const now = merged.rows.find(({ key }) => key === row.key);
          const before = was.get(row.cardId ?? '');
          for (const field of ['front', 'back', 'extra', 'tags'] as const) {
            if (before && row[field] === before[field]) continue;
            // What was written here is still here, in a conflict too: nobody has chosen yet.
            expect(now?.[field]).toBe(row[field]);
          }
        }
        for (const card of theirs.base) {
          const before = was.get(card.card_id);
          const other = rowOf(card);
          const now = merged.rows.find(({ cardId }) => cardId === card.card_id);
          for (const field of ['front', 'back', 'extra', 'tags'] as const) {
            if (before && other[field] === before[field]) continue;
            if (conflicting.has(`${card.card_id} ${field}`)) continue;
            expect(now?.[field]).toBe(other[field]);
          }
        }
        // And it can be saved.
        const resolved = merged.rows.map((row) =>
          conflicting.has(`${row.key} gone`) ? { ...row, cardId: undefined } : row,
        );
        const end = saveAll(theirs.server, theirs.base, resolved);
        const left = end.server.cards.map(({ front }) => front);
        // A deck without a card is none: what both have deleted together stays until another card has come.
        if (resolved.length === 0) expect(left.length).toBeGreaterThan(0);
        else expect(left).toEqual(resolved.map(({ front }) => front));
      }),
      { numRuns: 500 },
    );
  });

  it('are not added twice where the answer to the first time was lost', () => {
    const server = deckOf([['a', '1']]);
    const base = asCards(server.cards);
    const mine: readonly Row[] = [...base.map(rowOf), { key: 'new', front: 'b', back: '2', extra: '', tags: 'Tag' }];
    const sent = editOf(base, mine, 'basic', () => false);
    const after = applied(server, sent?.edit ?? {});
    const merged = merge(base, mine, asCards(after.cards));
    expect(merged.conflicts).toEqual([]);
    expect(merged.summary).toEqual({ added: 0, edited: 0, removed: 0 });
    expect(editOf(asCards(after.cards), merged.rows, 'basic', () => false)).toBeUndefined();
  });

  it('are sent only when they are whole, and the last card stays until another has come', () => {
    const server = deckOf([['a', '1']]);
    const base = asCards(server.cards);
    const half: Row = { key: 'half', front: 'only a front', back: ' ', extra: '', tags: '' };
    expect(editOf(base, [...base.map(rowOf), half], 'basic', () => false)).toBeUndefined();
    expect(editOf(base, [half], 'basic', () => false)).toBeUndefined();
    expect(editOf(base, [{ ...half, back: 'now whole' }], 'basic', () => false)?.edit).toEqual({
      add: [{ front: 'only a front', back: 'now whole', tags: [], at: 1 }],
      delete: [base[0]?.card_id],
    });
    expect(editOf(base, [...base.map(rowOf), half], 'cloze', () => false)).toBeUndefined();
  });
});
