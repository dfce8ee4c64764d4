/** Tables: every row becomes a card or comes back by number. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTable } from '../src/decks/table.ts';

const fronts = (text: string) => readTable(text, 'reversed').cards.map((card) => [card.front, card.back]);

describe('well-formed tables', () => {
  test.each([
    ['line feeds', 'Hund\tdog\nKatze\tcat\n'],
    ['CRLF and a byte order mark', '\uFEFFHund\tdog\r\nKatze\tcat\r\n'],
    ['no last line break, empty rows', '\nHund\tdog\n\t\n\nKatze\tcat'],
    ['quotes as spreadsheets write them', '"Hund"\tdog\n"Katze"\t"cat"'],
    ['a header', 'Front\tBack\nHund\tdog\nKatze\tcat'],
    ['a header in another order', 'back\ttags\tfront\ndog\t\tHund\ncat\tx\tKatze'],
    ['empty cells to the right', 'Hund\tdog\t\t\t\t\t\nKatze\tcat\t\t\t\t\t'],
  ])('%s', (_, text) => {
    expect(readTable(text, 'basic').malformed).toEqual([]);
    expect(fronts(text)).toEqual([
      ['Hund', 'dog'],
      ['Katze', 'cat'],
    ]);
  });

  test('quoted cells hold tabs, line breaks and quotes', () => {
    expect(fronts('"a\tb"\tc\n"two\nlines"\t"say ""hi"""')).toEqual([
      ['a\tb', 'c'],
      ['two\nlines', 'say "hi"'],
    ]);
  });

  test('quotes that belong to the text stay, and swallow nothing', () => {
    const text = '"Hallo" sagen\tto say "hi"\n"unclosed\tx\nHund\tdog\nend"\ty';
    expect(fronts(text)).toEqual([
      ['"Hallo" sagen', 'to say "hi"'],
      ['"unclosed', 'x'],
      ['Hund', 'dog'],
      ['end"', 'y'],
    ]);
  });

  test('columns by their number', () => {
    const [three] = readTable('Hund\tdog\tanimal, pet', 'basic').cards;
    expect(three).toEqual({ front: 'Hund', back: 'dog', tags: ['animal', 'pet'] });
    const [four] = readTable('Hund\tdog\tGe\tEng', 'basic').cards;
    expect(four).toEqual({ front: 'Hund', back: 'dog', tags: [], frontLanguage: 'de-DE', backLanguage: 'en-US' });
    const [five] = readTable('Hund\tdog\tde\ten-GB\tpet', 'basic').cards;
    expect(five).toMatchObject({ tags: ['pet'], backLanguage: 'en-GB' });
  });
});

test('malformed rows come back with their number, the reason and the text', () => {
  const text = [
    'front\tback',
    'Hund\tdog',
    '',
    'only one',
    'a\tb\tc\td\te\tf',
    '\tno front',
    'no back\t',
    'a\tb\txx\tyy',
    'c\x01\td',
    'Katze\tcat',
  ];
  const table = readTable(text.join('\n'), 'basic');
  expect(table.cards.map((card) => card.front)).toEqual(['Hund', 'Katze']);
  expect(table.malformed.map(({ row, reason }) => [row, reason])).toEqual([
    [4, 'it has one column; separate front and back by a tab'],
    [5, 'it has 6 columns, but the header names 2'],
    [6, 'front: it is empty'],
    [7, 'back: it is empty'],
    [8, 'it has 4 columns, but the header names 2'],
    [9, 'front: it contains the control character U+0001; remove it'],
  ]);
  expect(table.malformed[0]?.text).toBe('only one');
});

test('an unknown language and too many columns are reasons too', () => {
  const table = readTable('a\tb\txx\tyy\na\tb\tc\td\te\tf', 'basic');
  expect(table.malformed.map(({ reason }) => reason)).toEqual([
    expect.stringContaining('front_language: no voice is known for "xx"'),
    'it has 6 columns; at most 5 (front, back, front language, back language, tags)',
  ]);
});

test('a table of more than a thousand rows is refused', () => {
  expect(() => readTable('x\n'.repeat(1001), 'basic')).toThrow(/more than 1000 rows/);
});

test('no row is lost, whatever the text', () => {
  const cell = fc.stringMatching(/^[a"\t \r\n\\]{0,8}$/);
  fc.assert(
    fc.property(fc.array(cell, { maxLength: 20 }), (cells) => {
      const text = cells.join('\t');
      const { cards, malformed } = readTable(text, 'basic');
      const kept = [
        ...cards.map((card) => card.front + card.back + card.tags.join('')),
        ...malformed.map((row) => row.text),
      ];
      const letters = (part: string) => part.replaceAll(/[^a]/g, '').length;
      expect(letters(kept.join(''))).toBe(letters(text));
    }),
  );
});

test('hostile quoting is read in linear time', () => {
  const started = performance.now();
  readTable('"b""\t'.repeat(70_000), 'basic');
  readTable(`"${'""'.repeat(170_000)}`, 'basic');
  readTable('"a\n'.repeat(900), 'basic');
  expect(performance.now() - started).toBeLessThan(5000);
});
