/**
 * The packages as the programs that learners use import them: Anki's own library and Mnemosyne, an independent reader
 * of the format. Mnemosyne (Debian package `mnemosyne`) must be there in CI; Anki’s own library too, where ANKI_PYTHON names a Python
 * that can import it (`pip install anki`).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeApkg } from '../src/anki/apkg.ts';
import { fieldChecksum, sortField } from '../src/anki/field.ts';
import type { DeckWithCards } from '../src/decks/deck.ts';
import { deckOf, edited } from './decks.ts';

const debianPython = '/usr/bin/python3';
const ankiPython = process.env.ANKI_PYTHON ?? '';
const hasMnemosyne = canImport(debianPython, 'mnemosyne.libmnemosyne');
const hasAnki = ankiPython !== '' && canImport(ankiPython, 'anki.collection');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ankify-import-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const nasty = 'AT&T <script>\n"q" [sound:x.mp3] [latex]x[/latex] {{Front}} -v שלום 🦊 \u00a0e\u0301';
const animals = [
  { front: 'Hund', back: 'dog', tags: ['pet'] },
  { front: nasty, back: nasty, extra: nasty },
  { front: 'Maus', back: 'mouse' },
];
const languages = { frontLanguage: 'de-DE', backLanguage: 'en-GB', speech: 'device' as const };

describe('Mnemosyne', () => {
  test('imports v1, v1 again and v2: 3 notes and 6 cards, the same, 4 and 8 with the text updated', ({ skip }) => {
    if (!hasMnemosyne && !process.env.CI) skip('Debian’s mnemosyne is not installed here (apt-get install mnemosyne)');
    const v1 = deckOf({ noteType: 'reversed', name: 'Sprachen::Deutsch', ...languages }, animals);
    const [first, again, second] = inMnemosyne([v1, v1, edited(v1)]);
    expect([first?.facts, first?.cards]).toEqual([3, 6]);
    expect([again?.facts, again?.cards]).toEqual([3, 6]);
    expect([second?.facts, second?.cards]).toEqual([4, 8]);
    const [card] = v1.cards;
    expect(first?.texts[card?.id ?? '']?.slice(0, 2)).toEqual(['Hund', 'dog']);
    expect(second?.texts[card?.id ?? '']?.slice(0, 2)).toEqual(['Hund', 'dog (edited)']);
    expect(second?.tags).toEqual(expect.arrayContaining(['Sprachen::Deutsch', 'pet']));
    expect(JSON.stringify(first?.questions)).not.toContain('<script>');
  });

  test('imports a cloze deck', ({ skip }) => {
    if (!hasMnemosyne && !process.env.CI) skip('Debian’s mnemosyne is not installed here (apt-get install mnemosyne)');
    const [result] = inMnemosyne([deckOf({ noteType: 'cloze' }, [{ front: '{{c1::Bern}} {{c2::CH}}', back: '' }])]);
    expect([result?.facts, result?.cards]).toEqual([1, 2]);
    expect(Object.values(result?.questions ?? {}).filter((text) => text.includes('[...]'))).toHaveLength(2);
  });
});

describe('Anki', () => {
  const notHere = 'ANKI_PYTHON does not name a Python with Anki’s library';

  test('imports v1, v1 again and v2: 3 new, 3 duplicates, then 1 new, 1 updated, 1 duplicate', ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf({ noteType: 'reversed', name: 'Sprachen::Deutsch', ...languages }, animals);
    const result = inAnki([v1, v1, edited(v1)]);
    const none = { conflicting: 0, missing_notetype: 0, missing_deck: 0, empty_first_field: 0 };
    expect(result.imports).toEqual([
      { new: 3, updated: 0, duplicate: 0, ...none },
      { new: 0, updated: 0, duplicate: 3, ...none },
      { new: 1, updated: 1, duplicate: 1, ...none },
    ]);
    expect(result.integrity, result.check).toBe(true);
    expect(result.decks).toEqual(['Default', 'Sprachen', 'Sprachen::Deutsch']);
    expect(result.noteTypes).toEqual(['Ankify basic and reversed (de-DE / en-GB)']);
    expect(result.notes.map((note) => note.cards.map((card) => card.due))).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [3, 3],
    ]);
    expect(result.notes[0]?.fields).toEqual(['Hund', 'dog (edited)', '']);
  });

  test('shows every text as it was typed, computes the same sort field and checksum, and speaks', ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf({ noteType: 'reversed', ...languages }, animals);
    const plain = deckOf({ id: '019a0000-0000-7000-8000-000000000002' }, [
      { front: 'no\u00a0entity' },
      { front: '007' },
    ]);
    const { notes } = inAnki([v1, plain]);
    for (const { fields, sortField: sorted, checksum } of notes) {
      const front = fields[0] ?? '';
      expect([sorted, checksum]).toEqual([front === '007' ? '7' : sortField(front), fieldChecksum(front)]);
    }
    const note = notes.find(({ fields }) => fields[0]?.startsWith('AT'));
    const [forward, backward] = note?.cards ?? [];
    expect(forward?.question).toContain('AT&amp;T &lt;script&gt;<br>');
    expect(forward?.question).not.toMatch(/<script|\[sound:|\[latex\]|<img/);
    expect([forward?.sounds, backward?.sounds]).toEqual([[], []]);
    expect(forward?.speech.map(([locale]) => locale)).toEqual(['de_DE']);
    expect(forward?.answer_speech.map(([locale]) => locale)).toEqual(['en_GB']);
    expect(backward?.speech[0]?.[1]).toContain('AT&T <script>');
  });

  test('an edit of the learner survives an unchanged package; scheduling survives a changed one', ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf(languages, animals);
    const [first, second] = v1.cards;
    const result = inAnki([v1, `edit:${second?.id}=my own words`, `review:${first?.id}`, v1, edited(v1)]);
    expect(result.imports.map((log) => [log.new, log.updated])).toEqual([
      [3, 0],
      [0, 0],
      [1, 1],
    ]);
    expect(result.notes[1]?.fields[1]).toBe('my own words');
    expect(result.notes[0]?.fields[1]).toBe('dog (edited)');
    expect(result.notes[0]?.cards[0]).toMatchObject({ reps: 1 });
  });

  test('makes one card for each cloze number, with its hint, and reads the answer', ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const front = '{{c1::Bern}} & {{c3::<b>::hint}} {{Front}}';
    const { notes, integrity } = inAnki([deckOf({ noteType: 'cloze', ...languages }, [{ front, back: 'CH' }])]);
    expect(integrity).toBe(true);
    expect(notes[0]?.cards.map((card) => card.ord)).toEqual([0, 2]);
    const [c1, c3] = notes[0]?.cards ?? [];
    expect(c1?.question).toContain('[...]');
    expect(c3?.question).toContain('[hint]');
    expect(c3?.answer).toContain('&lt;b&gt;');
    expect(c1?.speech).toEqual([]);
    expect(c1?.answer_speech).toEqual([['de_DE', 'Bern & <b> {{Front}}']]);
    const html = notes[0]?.fields[0] ?? '';
    expect(notes[0]).toMatchObject({ sortField: sortField(html), checksum: fieldChecksum(html) });
  });

  test('puts a deck named default into its own, and takes two decks of one name as one', ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const one = deckOf({ name: 'default' }, animals);
    const two = deckOf({ name: 'Verbs', id: '019a0000-0000-7000-8000-000000000002' }, animals);
    const three = deckOf({ name: 'verbs', id: '019a0000-0000-7000-8000-000000000003' }, animals);
    const { decks, imports, integrity } = inAnki([one, two, three]);
    expect(imports.map((log) => log.new)).toEqual([3, 3, 3]);
    expect(decks).toEqual(['Default', 'Verbs']);
    expect(integrity).toBe(true);
  });
});

function canImport(python: string, module: string): boolean {
  return spawnSync(python, ['-c', `import ${module}`], { timeout: 30_000 }).status === 0;
}

function run<T>(python: string, script: string, args: readonly string[]): T {
  const home = join(directory, 'home');
  const output = execFileSync(python, [join(import.meta.dirname, 'oracles', script), directory, ...args], {
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, QT_QPA_PLATFORM: 'offscreen' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  return JSON.parse(output.toString());
}

function packed(decks: ReadonlyArray<DeckWithCards | string>): string[] {
  return decks.map((deck, index) => {
    if (typeof deck === 'string') return deck;
    const file = join(directory, `${index}.apkg`);
    writeFileSync(file, writeApkg(deck));
    return file;
  });
}

interface InMnemosyne {
  facts: number;
  cards: number;
  texts: Record<string, string[]>;
  questions: Record<string, string>;
  tags: string[];
}

function inMnemosyne(decks: readonly DeckWithCards[]): InMnemosyne[] {
  return run(debianPython, 'mnemosyne_import.py', packed(decks));
}

interface InAnki {
  imports: Array<Record<'new' | 'updated' | 'duplicate' | 'conflicting', number>>;
  integrity: boolean;
  check: string;
  decks: string[];
  noteTypes: string[];
  notes: Array<{
    fields: string[];
    sortField: string;
    checksum: number;
    cards: Array<{
      ord: number;
      due: number;
      question: string;
      answer: string;
      speech: string[][];
      answer_speech: string[][];
      sounds: string[];
    }>;
  }>;
}

function inAnki(steps: ReadonlyArray<DeckWithCards | string>): InAnki {
  return run(ankiPython, 'anki_import.py', packed(steps));
}
