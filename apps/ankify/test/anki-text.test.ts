/** The text rules: what Anki must show literally, what it must understand, and the languages of its voices. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCloze } from '../src/anki/cloze.ts';
import { escapeField, fieldChecksum, sortField } from '../src/anki/field.ts';
import { cardId, deckPath } from '../src/anki/ids.ts';
import { ankiLocale, languageCodes, resolveLanguage } from '../src/anki/speech.ts';
import { checkCard, checkName } from '../src/decks/draft.ts';

describe('a field', () => {
  test.each([
    ['AT&T', 'AT&amp;T'],
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['"a" \'b\'', '&quot;a&quot; &#39;b&#39;'],
    ['one\ntwo\r\nthree\rfour', 'one<br>two<br>three<br>four'],
    ['[sound:a.mp3] [latex]x[/latex] [$]', '&#91;sound:a.mp3] &#91;latex]x&#91;/latex] &#91;$]'],
    ['{{Front}} {{{x}}}', '&#123;{Front}} &#123;&#123;{x}}}'],
    ['&lt; stays what was typed', '&amp;lt; stays what was typed'],
    ['e\u0301', '\u00e9'],
    ['-v שלום 🦊', '-v שלום 🦊'],
  ])('%j is written as %j', (text, html) => expect(escapeField(text)).toBe(html));

  test('any text comes back when the HTML is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const html = escapeField(text);
        expect(html.replaceAll('<br>', '')).not.toMatch(/[<>"'[]|\{\{/);
        expect(sortField(html)).toMatch(/^[^\n\r]*$/);
        const read = html
          .replaceAll('<br>', '\n')
          .replace(/&(lt|gt|quot|amp|#(\d+));/g, (_, name: string, code?: string) =>
            code ? String.fromCharCode(Number(code)) : ({ lt: '<', gt: '>', quot: '"', amp: '&' }[name] ?? ''),
          );
        expect(read).toBe(text.normalize('NFC').replace(/\r\n?/g, '\n'));
      }),
    );
  });

  test('the sort field and checksum are those of the text without markup', () => {
    expect(sortField(escapeField('a <b>\nc {{ [ &amp;'))).toBe('a <b>c {{ [ &amp;');
    expect(sortField(escapeField('a\u00a0b'))).toBe('a\u00a0b');
    expect(sortField(escapeField('a\u00a0&'))).toBe('a &');
    // SHA-1 of "Hund" begins 0e81; the figure is what Anki itself computed for this note.
    expect(fieldChecksum('Hund')).toBe(243_334_449);
  });
});

describe('a cloze', () => {
  test.each([
    ['{{c1::Bern}} is a <capital>', '{{c1::Bern}} is a &lt;capital&gt;', [0]],
    ['{{c2::b & c::a "hint"}} {{c1::a}}', '{{c2::b &amp; c::a &quot;hint&quot;}} {{c1::a}}', [0, 1]],
    ['{{c1::outer {{c2::inner}}}}', '{{c1::outer {{c2::inner}}}}', [0, 1]],
    ['{{c1::x}} {{Front}} }}', '{{c1::x}} &#123;{Front}} }}', [0]],
    ['{{c3::x}} {{c3::y}}', '{{c3::x}} {{c3::y}}', [2]],
    ['{{C1::no}} {{c1::yes}}', '&#123;{C1::no}} {{c1::yes}}', [0]],
  ])('%j', (text, html, ordinals) => expect(parseCloze(text)).toEqual({ html, ordinals }));

  test.each([
    ['no deletion', /no cloze/],
    ['{{c1::', /never closed/],
    ['a {{c1::b} c', /never closed/],
    ['{{c1::a}} {{c2::b', /\{\{c2:: is never closed/],
    ['{{c1::}}', /hides nothing/],
    ['{{c1::::hint}}', /hides nothing/],
    ['{{c0::a}}', /c1 to c50/],
    ['{{c51::a}}', /c1 to c50/],
    ['{{c1::{{c2::{{c3::{{c4::a}}}}}}}}', /nested/],
    ['{{c1:a}}', /no cloze/],
    ['{c1::a}', /no cloze/],
  ])('%j is refused', (text, reason) => {
    expect(parseCloze(text)).toEqual({ refused: expect.stringMatching(reason) });
  });
});

describe('a card', () => {
  const card = { front: 'a', back: 'b' };
  test.each([
    [{ ...card, front: ' ' }, 'front: it is empty'],
    [{ ...card, back: '\n' }, 'back: it is empty'],
    [{ front: 'a' }, 'back: it is empty'],
    [{ ...card, front: 'a\x1fb' }, 'front: it contains the control character U+001F; remove it'],
    [{ ...card, back: 'a\0' }, 'back: it contains the control character U+0000; remove it'],
    [{ ...card, extra: '\x1b[31m' }, 'extra: it contains the control character U+001B; remove it'],
    [{ ...card, front: '\ud800' }, 'front: it is broken Unicode (half of a surrogate pair); send the text again'],
    [{ ...card, front: 'x'.repeat(16_385) }, 'front: it has 16385 characters; at most 16384 fit'],
    [{ ...card, tags: ['a\x07'] }, 'tags: it contains the control character U+0007; remove it'],
  ])('%# is refused by name', (text, reason) => expect(checkCard('basic', text)).toBe(reason));

  test('tags lose their spaces and doubles, and keep their order', () => {
    const checked = checkCard('basic', { ...card, tags: [' top 10 ', 'a\u3000b', '', 'Verb', 'verb', 'x::y'] });
    expect(checked).toMatchObject({ tags: ['top_10', 'a_b', 'Verb', 'x::y'] });
  });

  test('an unknown language is refused with the known ones', () => {
    expect(checkCard('basic', { ...card, frontLanguage: 'Klingon' })).toMatch(/no voice is known for "Klingon".* de /);
  });
});

describe('a deck name', () => {
  test.each([
    ['German', 'German'],
    [' a :: b ', 'a::b'],
    ['Spanish: verbs', 'Spanish: verbs'],
  ])('%j is %j', (name, kept) => expect(checkName(name)).toBe(kept));

  test.each([
    '',
    ' ',
    'a::',
    '::a',
    'a::::b',
    'a:::b',
    'a\nb',
    'a\x1f',
    'x'.repeat(201),
    Array(11).fill('a').join('::'),
  ])('%j is refused', (name) => expect(() => checkName(name)).toThrow(/deck name cannot be used/));

  test('its parents come first, each once, under ids that only depend on the name', () => {
    expect(deckPath('A::B').map(({ name }) => name)).toEqual(['A', 'A::B']);
    expect(deckPath('A::C')[0]?.id).toBe(deckPath('A::B')[0]?.id);
    expect(deckPath('A::C')[1]?.id).not.toBe(deckPath('A::B')[1]?.id);
    expect(deckPath('default')[0]?.id).toBe(1);
  });
});

describe('a language', () => {
  test.each([
    ['de', 'de-DE'],
    ['GE', 'de-DE'],
    ['German', 'de-DE'],
    ['deu', 'de-DE'],
    ['de_at', 'de-AT'],
    ['Eng', 'en-US'],
    ['en-GB', 'en-GB'],
    ['Rus', 'ru-RU'],
    ['pt', 'pt-PT'],
    ['PT-br', 'pt-BR'],
    ['Chinese', 'zh-CN'],
    ['zh', 'zh-CN'],
    ['Norwegian', 'nb-NO'],
    ['constructor', undefined],
    ['xx', undefined],
    ['', undefined],
  ])('%j is %j', (name, code) => expect(resolveLanguage(name)).toBe(code));

  test('every code that a refusal offers can be used, and Anki writes it with an underscore', () => {
    expect(languageCodes.length).toBeGreaterThan(50);
    for (const code of languageCodes) expect(ankiLocale(resolveLanguage(code) ?? '')).toMatch(/^[a-z]{2}_[A-Z]{2}$/);
  });
});

test('card ids are UUIDs of version 8, one for each position', () => {
  const ids = [1, 2, 3].map((position) => cardId('019a0000-0000-7000-8000-000000000001', position));
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
