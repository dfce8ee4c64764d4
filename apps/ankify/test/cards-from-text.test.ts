/** Cards from notes: the formats people use, and the promise that no line is lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cardsFromText, type ParsedText } from '../src/generate/cards-from-text.ts';

const sides = (text: string, options = {}) =>
  cardsFromText(text, options).cards.map(({ card }) => [card.front, card.back]);
const animals = [
  ['Hund', 'dog'],
  ['die Katze', 'cat'],
];

describe('formats are recognised', () => {
  test.each<[string, string, string]>([
    ['lines', 'a hyphen', 'Hund - dog\ndie Katze - cat'],
    ['lines', 'dashes', 'Hund – dog\n\ndie Katze — cat\n'],
    ['lines', 'a colon', 'Hund: dog\ndie Katze : cat'],
    ['lines', 'an equals sign and bullets', '- Hund = dog\n2. die Katze = cat'],
    ['lines', 'bold terms', '**Hund** - dog\n* **die Katze:** cat'],
    ['questions', 'Q and A', 'Q: Hund\nA: dog\n\nQ: die Katze\nA: cat'],
    ['questions', 'numbered, in German', 'Frage 1: Hund\nAntwort: dog\nFrage 2: die Katze\nAntwort: cat'],
    ['table', 'tabs', 'Hund\tdog\ndie Katze\tcat'],
    ['table', 'commas', 'Hund,dog\r\n"die Katze", cat'],
    ['table', 'semicolons and a header', 'Front;Back\nHund;dog\ndie Katze;cat'],
    ['table', 'bars', 'Hund | dog\ndie Katze | cat'],
    ['markdown', 'headings', '# Hund\ndog\n\n# die Katze\n\ncat\n'],
  ])('%s: %s', (format, _, text) => {
    const parsed = cardsFromText(text);
    expect(parsed.errors).toEqual([]);
    expect(parsed.format).toBe(format);
    expect(sides(text)).toEqual(animals);
  });

  test('sentences with bold words become clozes', () => {
    const text = 'The **mitochondrion** is the **powerhouse** of the cell.\n- Water is **H2O**.';
    const parsed = cardsFromText(text);
    expect(parsed).toMatchObject({ noteType: 'cloze', format: 'lines', errors: [] });
    expect(parsed.cards.map(({ card }) => card.front)).toEqual([
      'The {{c1::mitochondrion}} is the {{c2::powerhouse}} of the cell.',
      'Water is {{c1::H2O}}.',
    ]);
  });

  test('headings: what stands above is kept in extra, lists below become a card each', () => {
    const text = '# Biology\n## Cell\n### Nucleus\nholds the **DNA**\nand more\n## Animals\n- Hund: dog\n- Katze: cat';
    const { cards, errors, titles } = cardsFromText(text);
    expect(errors).toEqual([]);
    expect(cards.map(({ card, from, to }) => [card.front, card.back, card.extra, from, to])).toEqual([
      ['Nucleus', 'holds the DNA\nand more', 'Biology › Cell', 3, 5],
      ['Hund', 'dog', 'Biology › Animals', 6, 7],
      ['Katze', 'cat', 'Biology › Animals', 8, 8],
    ]);
    expect(titles).toEqual([
      { from: 1, to: 1 },
      { from: 2, to: 2 },
    ]);
  });

  test('a heading in a code block is text', () => {
    expect(sides('# Comment in shell\n```\n# like this\n```')).toEqual([['Comment in shell', '```\n# like this\n```']]);
  });

  test('long answers, and dashes and colons that separate nothing', () => {
    expect(sides('Q: Two\nlines?\nA: yes\n\n- one\n- two')).toEqual([['Two\nlines?', 'yes\n\n- one\n- two']]);
    expect(sides('E-Mail - letter\n10:30 - half past ten')).toEqual([
      ['E-Mail', 'letter'],
      ['10:30', 'half past ten'],
    ]);
  });

  test('the format and the note type may be told', () => {
    expect(sides('a,b - c', { format: 'lines' })).toEqual([['a,b', 'c']]);
    expect(cardsFromText('A **b** c', { noteType: 'basic' }).errors).toHaveLength(1);
    expect(cardsFromText('x - {{c2::y}}', { noteType: 'cloze' }).cards[0]?.card.front).toBe('x - {{c2::y}}');
  });
});

test('errors name their lines and say what to do', () => {
  const errors = (text: string) => cardsFromText(text).errors.map(({ from, reason }) => [from, reason]);
  expect(errors('Hund - dog\n\njust text\nKatze - cat')).toEqual([
    [3, 'it has no definition; write: term - definition'],
  ]);
  expect(errors('intro\nQ: a\nA: b\nQ: c')).toEqual([
    [1, 'it stands before the first Q:'],
    [4, 'the question has no answer; write A: and the answer below it'],
  ]);
  expect(errors('A: b\nQ: c\nA: d')).toEqual([[1, 'the answer has no question; write Q: and the question above it']]);
  expect(errors('a,b\nc,d\n"e\nf",g\n,\n,h')).toEqual([
    [5, 'all of its cells are empty'],
    [6, 'front: it is empty'],
  ]);
  expect(errors('# One\n# Two\ntext')).toEqual([[1, 'nothing stands below this heading']]);
  expect(errors('a - b\x01')).toEqual([[1, 'back: it contains the control character U+0001; remove it']]);
});

test('hostile text is kept to the letter', () => {
  for (const text of ['-v', '<script>alert(1)</script>', 'AT&T', 'שלום', '👩‍👩‍👧', 'x'.repeat(10_240), '__proto__']) {
    expect(sides(`${text}\tb`)).toEqual([[text, 'b']]);
  }
  expect(() => cardsFromText('x\n'.repeat(3001))).toThrow(/at most 3000 can be read/);
  expect(() => cardsFromText('x'.repeat(350_001))).toThrow(/at most 350000/);
});

/** Lines that are not empty and stand nowhere. */
function lost(text: string, { cards, errors, titles, header }: ParsedText): number[] {
  const covered = new Set<number>();
  for (const { from, to } of [...cards, ...errors, ...titles, ...(header ? [header] : [])])
    for (let at = from; at <= to; at++) covered.add(at);
  const full = text.split(/\r\n|[\r\n]/).flatMap((line, index) => (line.trim() === '' ? [] : [index + 1]));
  return full.filter((number) => !covered.has(number));
}

describe('no line is lost', () => {
  const piece = fc.constantFrom(
    'a',
    'b1',
    '\t',
    ',',
    ';',
    '|',
    ' - ',
    ': ',
    '**',
    '"',
    '""',
    '# ',
    '## ',
    'Q: ',
    'A: ',
    '```',
    '{{c1::',
    '}}',
    ' ',
    '= ',
    '- ',
    '1. ',
  );
  const line = fc.array(piece, { maxLength: 7 }).map((parts) => parts.join(''));
  const text = fc
    .tuple(fc.array(line, { maxLength: 14 }), fc.constantFrom('\n', '\r\n'))
    .map(([lines, end]) => lines.join(end));
  const options = fc.record({
    format: fc.constantFrom(undefined, 'table', 'lines', 'questions', 'markdown'),
    noteType: fc.constantFrom(undefined, 'basic', 'reversed', 'cloze'),
  });

  test('each that is not empty is in a card, an error or a title', () => {
    fc.assert(
      fc.property(text, options, (source, asked) => {
        expect(lost(source, cardsFromText(source, asked as object))).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });

  test('and no letter of a card that is made', () => {
    const letters = (of: string) => of.replace(/[^b]/g, '').length;
    fc.assert(
      fc.property(text, (source) => {
        const parsed = cardsFromText(source, { noteType: 'basic' });
        fc.pre(
          parsed.errors.length === 0 &&
            parsed.titles.length === 0 &&
            parsed.format !== 'markdown' &&
            parsed.format !== 'lines',
        );
        const kept = parsed.cards.map(({ card }) => card.front + card.back + (card.extra ?? '') + card.tags.join(''));
        expect(letters(kept.join(''))).toBe(letters(source));
      }),
      { numRuns: 2000, maxSkipsPerRun: 1000 },
    );
  });
});

test('a heading that stands in every card makes no more of them than fit a deck', () => {
  const source = `# ${'h'.repeat(16_000)}\n${'a - b\n'.repeat(2900)}`;
  const parsed = cardsFromText(source);
  expect(JSON.stringify(parsed).length).toBeLessThan(1_000_000);
  expect(parsed.cards).toHaveLength(21);
  expect(lost(source, parsed)).toEqual([]);
  expect(parsed.errors.at(-1)?.reason).toBe('the headings above are too long; shorten them');
  const usual = cardsFromText(`# Verbs\n${'a - b\n'.repeat(2900)}`);
  expect([usual.cards.length, usual.errors.length]).toEqual([2900, 0]);
});

test('hostile text is read in linear time', () => {
  const started = performance.now();
  for (const text of [
    '**'.repeat(100_000),
    '"'.repeat(200_000),
    'a - '.repeat(60_000),
    ' '.repeat(200_000),
    '# a\n'.repeat(2900),
    '{{c1::'.repeat(50_000),
    '**a'.repeat(80_000),
    'Q:\n'.repeat(2900),
    `a${' '.repeat(200_000)}b`,
  ]) {
    for (const noteType of ['basic', 'cloze'] as const) cardsFromText(text, { noteType });
    cardsFromText(text);
  }
  expect(performance.now() - started).toBeLessThan(10_000);
});
