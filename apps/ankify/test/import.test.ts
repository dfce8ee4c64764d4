/**
 * The packages as the programs that learners use import them: Anki's own library and Mnemosyne, an independent reader
 * of the format. Mnemosyne (Debian package `mnemosyne`) must be there in CI; Anki’s own library too, where ANKI_PYTHON names a Python
 * that can import it (`pip install anki`).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeApkg } from '../src/anki/apkg.ts';
import { fieldChecksum, sortField } from '../src/anki/field.ts';
import type { DeckWithCards } from '../src/decks/deck.ts';
import { deckOf, edited } from './decks.ts';
import { recordedApkg, recordingOf } from './recorded.ts';

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
const recorded = { ...languages, speech: 'recorded' as const };

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

  test('takes recorded speech with each side, once', async ({ skip }) => {
    if (!hasMnemosyne && !process.env.CI) skip('Debian’s mnemosyne is not installed here (apt-get install mnemosyne)');
    const v1 = deckOf({ noteType: 'reversed', ...recorded }, animals);
    const { files } = await recordingOf(v1);
    const second = await recordedApkg(edited(v1));
    const [first, again, changed] = inMnemosyne([await recordedApkg(v1), await recordedApkg(v1), second]);
    expect([first?.facts, first?.cards, again?.facts, changed?.facts, changed?.cards]).toEqual([3, 6, 3, 4, 8]);
    expect(files.size).toBe(6);
    expect(first?.media).toEqual([...files.keys()].sort());
    expect(again?.media).toEqual(first?.media);
    expect(changed?.media).toHaveLength(9); // one edited side, and both of the new card
    const texts = first?.texts[v1.cards[0]?.id ?? ''] ?? [];
    expect(texts.join(' ')).toMatch(/Hund.*dog.*ankify-[0-9a-f]{20}\.mp3/s);
  });

  test('imports a cloze deck', ({ skip }) => {
    if (!hasMnemosyne && !process.env.CI) skip('Debian’s mnemosyne is not installed here (apt-get install mnemosyne)');
    const [result] = inMnemosyne([deckOf({ noteType: 'cloze' }, [{ front: '{{c1::Bern}} {{c2::CH}}', back: '' }])]);
    expect([result?.facts, result?.cards]).toEqual([1, 2]);
    expect(Object.values(result?.questions ?? {}).filter((text) => text.includes('[...]'))).toHaveLength(2);
  });
});

const notHere = 'ANKI_PYTHON does not name a Python with Anki’s library';

describe('Anki', () => {
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
    expect(result.notes[0]?.fields).toEqual(['Hund', 'dog (edited)', '', '', '']);
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

describe('Anki, with recorded speech', () => {
  const sha256 = (bytes: Uint8Array | undefined) =>
    createHash('sha256')
      .update(bytes ?? '')
      .digest('hex');

  test('v1, v1 again and v2: 3 new; 0 new; 1 new and 1 updated; every clip there, referred to and heard', async ({
    skip,
  }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf({ noteType: 'reversed', name: 'Sprachen::Deutsch', ...recorded }, animals);
    const v2 = edited(v1);
    const first = await recordedApkg(v1);
    const result = inAnki([first, first, await recordedApkg(v2)]);
    expect(result.imports).toEqual([
      expect.objectContaining({ new: 3, updated: 0, duplicate: 0, conflicting: 0 }),
      expect.objectContaining({ new: 0, updated: 0, duplicate: 3, conflicting: 0 }),
      expect.objectContaining({ new: 1, updated: 1, duplicate: 1, conflicting: 0 }),
    ]);
    expect(result.integrity, result.check).toBe(true);
    const files = new Map([...(await recordingOf(v1)).files, ...(await recordingOf(v2)).files]);
    expect(files.size).toBe(9);
    expect(result.media).toEqual(Object.fromEntries(Array.from(files, ([name, bytes]) => [name, sha256(bytes)])));
    expect(result.missingMedia).toEqual([]);
    // Of the edited side only; everything else is still referred to.
    expect(result.unusedMedia).toHaveLength(1);
    const { sounds } = await recordingOf(v2);
    const [forward, backward] = result.notes[0]?.cards ?? [];
    const { front, back } = sounds.get(v2.cards[0]?.id ?? '') ?? {};
    expect([forward?.sounds, forward?.answer_sounds]).toEqual([[front], [back]]);
    expect([backward?.sounds, backward?.answer_sounds]).toEqual([[back], [front]]);
    // Not both: what is recorded is not read by the device as well.
    expect([forward?.speech, forward?.answer_speech]).toEqual([[], []]);
    expect(forward?.question).not.toContain('.mp3');
  });

  test('scheduling, cards put aside and the learner’s own words survive; media stay', async ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf(recorded, animals);
    const [first, second] = v1.cards;
    const bytes = await recordedApkg(v1);
    const steps = [bytes, `edit:${second?.id}=my own words`, `review:${first?.id}`, `suspend:${second?.id}`];
    const result = inAnki([...steps, bytes, await recordedApkg(edited(v1))]);
    expect(result.imports.map((log) => [log.new, log.updated])).toEqual([
      [3, 0],
      [0, 0],
      [1, 1],
    ]);
    expect(result.notes[1]?.fields[1]).toBe('my own words');
    expect(result.notes[1]?.cards[0]).toMatchObject({ queue: -1 });
    expect(result.notes[0]?.fields[1]).toBe('dog (edited)');
    expect(result.notes[0]?.cards[0]).toMatchObject({ reps: 1 });
    expect(result.missingMedia).toEqual([]);
    expect(result.notes[1]?.cards[0]?.sounds).toEqual([(await recordingOf(v1)).sounds.get(second?.id ?? '')?.front]);
  });

  test('a deck that is recorded later updates the notes that the device read before', async ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const v1 = deckOf(languages, animals);
    const updatedAt = v1.deck.updatedAt + 60;
    const v2 = {
      deck: { ...v1.deck, ...recorded, version: 2, updatedAt },
      cards: v1.cards.map((card) => ({ ...card, updatedAt })),
    };
    const result = inAnki([v1, await recordedApkg(v2)]);
    expect(result.imports).toEqual([
      expect.objectContaining({ new: 3, updated: 0, conflicting: 0 }),
      expect.objectContaining({ new: 0, updated: 3, conflicting: 0 }),
    ]);
    expect(result.noteTypes).toEqual(['Ankify basic (de-DE / en-GB)']);
    const [card] = result.notes[0]?.cards ?? [];
    expect([card?.sounds.length, card?.speech]).toEqual([1, []]);
  });

  test('a cloze is heard with its answer only, and a side without a clip is read by the device', async ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const cloze = deckOf({ noteType: 'cloze', ...recorded }, [
      { front: '{{c1::Bern}} liegt in {{c2::CH}}', back: 'city' },
    ]);
    const hebrew = deckOf({ id: '019a0000-0000-7000-8000-000000000002', ...recorded, frontLanguage: 'he-IL' }, [{}]);
    const { notes, integrity } = inAnki([await recordedApkg(cloze), await recordedApkg(hebrew)]);
    expect(integrity).toBe(true);
    const [spoken, half] = notes.toSorted((a, b) => b.cards.length - a.cards.length);
    expect(spoken?.cards).toHaveLength(2);
    for (const card of spoken?.cards ?? []) {
      expect([card.sounds, card.answer_sounds.length, card.answer_speech]).toEqual([[], 2, []]);
    }
    const [card] = half?.cards ?? [];
    expect([card?.sounds, card?.speech.map(([locale]) => locale), card?.answer_sounds.length]).toEqual([
      [],
      ['he_IL'],
      1,
    ]);
  });

  test('two decks that say the same share a file', async ({ skip }) => {
    if (!hasAnki && !process.env.CI) skip(notHere);
    const one = deckOf(recorded, [{ front: 'Hund', back: 'dog' }]);
    const two = deckOf({ ...recorded, id: '019a0000-0000-7000-8000-000000000002' }, [{ front: 'Hund', back: 'hound' }]);
    const { media, unusedMedia } = inAnki([await recordedApkg(one), await recordedApkg(two)]);
    expect([Object.keys(media).length, unusedMedia]).toEqual([3, []]);
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

/** A deck, the bytes of a package, or a word for the oracle. */
type Step = DeckWithCards | Uint8Array | string;

function packed(decks: readonly Step[]): string[] {
  return decks.map((deck, index) => {
    if (typeof deck === 'string') return deck;
    const file = join(directory, `${index}.apkg`);
    writeFileSync(file, deck instanceof Uint8Array ? deck : writeApkg(deck));
    return file;
  });
}

interface InMnemosyne {
  facts: number;
  cards: number;
  texts: Record<string, string[]>;
  questions: Record<string, string>;
  tags: string[];
  media: string[];
}

function inMnemosyne(decks: ReadonlyArray<Exclude<Step, string>>): InMnemosyne[] {
  return run(debianPython, 'mnemosyne_import.py', packed(decks));
}

interface InAnki {
  imports: Array<Record<'new' | 'updated' | 'duplicate' | 'conflicting', number>>;
  integrity: boolean;
  check: string;
  decks: string[];
  noteTypes: string[];
  /** SHA-256 by name. */
  media: Record<string, string>;
  unusedMedia: string[];
  missingMedia: string[];
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
      answer_sounds: string[];
      queue: number;
    }>;
  }>;
}

function inAnki(steps: readonly Step[]): InAnki {
  return run(ankiPython, 'anki_import.py', packed(steps));
}
