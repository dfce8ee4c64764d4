/** The package as SQLite and ZIP see it: the rules of the format, and stability from one export to the next. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { writeApkg } from '../src/anki/apkg.ts';
import type { NoteType } from '../src/decks/deck.ts';
import { deckOf, edited, madeAt, readApkg } from './decks.ts';

const animals = [
  { front: 'Hund', back: 'dog', tags: ['pet', 'a::b'] },
  { front: '12', back: 'twelve', extra: 'a number' },
  { front: 'Maus', back: 'mouse' },
];

describe.each<[NoteType, number]>([
  ['basic', 3],
  ['reversed', 6],
  ['cloze', 5],
])('a %s deck', (noteType, cardCount) => {
  const texts =
    noteType === 'cloze'
      ? [{ front: '{{c1::a}} {{c2::b}}' }, { front: '{{c3::c}}' }, { front: '{{c1::d::hint}} {{c50::e}}', back: '' }]
      : animals;
  const read = readApkg(writeApkg(deckOf({ noteType, name: 'A::B::C' }, texts)));

  test('is a sound collection of schema 11 in a package without meta', () => {
    expect(read.files).toEqual(['collection.anki2', 'media']);
    expect(read.media).toEqual({});
    expect(read.integrity).toBe('ok');
    expect(read.col).toMatchObject({ id: 1, ver: 11, crt: expect.any(Number), mod: madeAt * 1000 });
  });

  test('has every card with its note, under unique ids', () => {
    expect(read.notes).toHaveLength(3);
    expect(read.cards).toHaveLength(cardCount);
    expect(read.orphans).toEqual([]);
    expect(new Set([...read.cards.map((card) => card.id)]).size).toBe(cardCount);
    expect(new Set(read.notes.map((note) => note.guid)).size).toBe(3);
    for (const note of read.notes) {
      const model = read.models[String(note.mid)];
      expect(String(note.flds).split('\x1f')).toHaveLength(model?.flds.length ?? 0);
      expect(Number(note.id)).toBeLessThanOrEqual(madeAt * 1000);
      expect(Number(note.id)).toBeGreaterThan((madeAt - 3600) * 1000);
    }
  });

  test('keeps the order, and lies in its sub-deck with the parents present', () => {
    const due = new Map(read.cards.map((card) => [card.nid, card.due]));
    expect(read.notes.map((note) => due.get(note.id ?? null))).toEqual([1, 2, 3]);
    expect(
      Object.values(read.decks)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['A', 'A::B', 'A::B::C', 'Default']);
    for (const card of read.cards) expect(read.decks[String(card.did)]?.name).toBe('A::B::C');
  });

  test('is styled for light and dark', () => {
    const css = Object.values(read.models)[0]?.css ?? '';
    expect(css).toContain('.card {');
    expect(css).toContain('.card.nightMode {');
  });
});

test('sort field, checksum and tags are Anki’s', () => {
  const { notes } = readApkg(writeApkg(deckOf({}, [...animals, { front: 'a <b> & c\nd', back: 'x' }])));
  const sha1 = (text: string) => Number.parseInt(createHash('sha1').update(text).digest('hex').slice(0, 8), 16);
  expect(notes.map((note) => [note.sfld, note.csum, note.tags])).toEqual([
    ['Hund', sha1('Hund'), ' pet a::b '],
    [12, sha1('12'), ''],
    ['Maus', sha1('Maus'), ''],
    ['a <b> & cd', sha1('a <b> & cd'), ''],
  ]);
});

test('the same version is the same bytes, in any time zone', () => {
  const deck = deckOf({ noteType: 'reversed', speech: 'device', frontLanguage: 'de-DE' }, animals);
  const first = writeApkg(deck);
  const zone = process.env.TZ;
  process.env.TZ = 'Pacific/Kiritimati';
  const second = writeApkg(structuredClone(deck));
  process.env.TZ = zone ?? '';
  if (zone === undefined) delete process.env.TZ;
  expect(Buffer.from(first).equals(second)).toBe(true);
});

test('an edited card keeps its GUID and ids and is newer; the others are untouched', () => {
  const before = deckOf({ noteType: 'reversed' }, animals);
  const v1 = readApkg(writeApkg(before));
  const v2 = readApkg(writeApkg(edited(before)));
  const [first, second] = v1.notes;
  expect(v2.notes[0]).toMatchObject({ id: first?.id, guid: first?.guid, mid: first?.mid, mod: madeAt + 60 });
  expect(v2.notes[0]?.flds).toContain('(edited)');
  expect(v2.notes[1]).toEqual(second);
  expect(v1.notes.map((note) => note.guid)).not.toContain(v2.notes[2]?.guid);
  const ids = (read: typeof v1, noteId: unknown) =>
    read.cards.filter((card) => card.nid === noteId).map(({ id }) => id);
  expect(ids(v2, first?.id)).toEqual(ids(v1, first?.id));
  expect(Object.keys(v2.models)).toEqual(Object.keys(v1.models));
  expect(Object.values(v2.models)[0]?.mod).toBe(Object.values(v1.models)[0]?.mod);
});

describe('speech', () => {
  const templates = (deck: Parameters<typeof deckOf>[0], texts: Parameters<typeof deckOf>[1] = animals) =>
    Object.values(readApkg(writeApkg(deckOf(deck, texts))).models).map((model) =>
      model.tmpls.map(({ qfmt, afmt }) => [qfmt.match(/\{\{tts.*?\}\}/g), afmt.match(/\{\{tts.*?\}\}/g)]),
    );
  const languages = { frontLanguage: 'de-DE', backLanguage: 'en-US', speech: 'device' as const };

  test('reads each side in its language, and in both directions', () => {
    expect(templates({ ...languages, noteType: 'reversed' })).toEqual([
      [
        [['{{tts de_DE:Front}}'], ['{{tts en_US:Back}}']],
        [['{{tts en_US:Back}}'], ['{{tts de_DE:Front}}']],
      ],
    ]);
  });

  test('reads a cloze with its answer only', () => {
    expect(templates({ ...languages, noteType: 'cloze' }, [{ front: '{{c1::a}}' }])).toEqual([
      [[null, ['{{tts de_DE:cloze:Text}}']]],
    ]);
  });

  test('is silent where it is off, or a side has no language', () => {
    expect(templates({ ...languages, speech: 'off' })).toEqual([[[null, null]]]);
    expect(templates({ speech: 'device', backLanguage: 'fr-FR' })).toEqual([[[null, ['{{tts fr_FR:Back}}']]]]);
  });

  test('a card with languages of its own gets a note type of its own', () => {
    const cards = [{}, { frontLanguage: 'en-US', backLanguage: 'de-DE' }, {}];
    expect(templates(languages, cards)).toHaveLength(2);
  });
});

test('a deck named Default is Anki’s own, whatever the case', () => {
  const { decks, cards } = readApkg(writeApkg(deckOf({ name: 'default::x' }, animals)));
  expect(Object.values(decks).map(({ name }) => name)).toEqual(['default', 'default::x']);
  expect(decks['1']?.name).toBe('default');
  expect(decks[String(cards[0]?.did)]?.name).toBe('default::x');
});
