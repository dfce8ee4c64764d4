/** The stored text of a value: which texts are which version, and the versions a kind may have. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kindTable, maxVersion } from '../src/limits.ts';
import { memoryRecords } from '../src/memory.ts';
import { NewerRecordError, RecordsError } from '../src/records.ts';
import { decodeValue, encodeValue } from '../src/stored-value.ts';

const upgrade = (value: unknown, from: number) => ({ from, value });
const knowing = (version: number) => kindTable<{ note: unknown }>({ note: { version, upgrade } });

test('version 1 is the plain JSON it always was, and any other says its number', () => {
  expect(encodeValue(knowing(1), 'note', { text: 'one' })).toBe('{"text":"one"}');
  expect(encodeValue(knowing(2), 'note', { text: 'one' })).toBe('v2 {"text":"one"}');
  expect(encodeValue(knowing(maxVersion), 'note', 'v7 ')).toBe('v999999 "v7 "');
});

test('any JSON is read back by the release that wrote it, upgraded by a newer and refused by an older one', () => {
  const version = fc.integer({ min: 1, max: maxVersion });
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), version, version, (value, wrote, reads) => {
      const text = encodeValue(knowing(wrote), 'note', value);
      const read = () => decodeValue(knowing(reads), 'note', 'n', text);
      if (reads < wrote) expect(read).toThrow(NewerRecordError);
      else {
        const plain = JSON.parse(JSON.stringify(value));
        expect(read()).toEqual(reads === wrote ? plain : { from: wrote, value: plain });
      }
    }),
    { numRuns: 300 },
  );
});

test('a text that nobody writes is damaged, and its words hold none of it', () => {
  const texts = ['', '{', 'secret', 'v', 'v {}', 'v0 {}', 'v02 {}', 'v-1 {}', 'v2{}', 'v2', 'v2 ', 'v2 v2 {}', 'V2 {}'];
  for (const text of [...texts, ' v2 {}', 'v1e3 {}', 'v1234567 {}', 'v2 {"secret"', 'very secret']) {
    const read = () => decodeValue(knowing(3), 'note', 'n', text);
    expect(read, text).toThrow(RecordsError);
    expect(read, text).not.toThrow(NewerRecordError);
    expect(read, text).toThrow(/^record note "n" is damaged/);
    expect(read, text).not.toThrow(/secret/);
  }
});

test('the id in the words is quoted and cut', () => {
  const read = () => decodeValue(knowing(1), 'note', `line\n${'x'.repeat(900)}`, 'v2 {}');
  expect(read).toThrow(NewerRecordError);
  expect(read).toThrow(/^record note "line\\nx{75}" was written/);
});

test('a kind whose versions cannot be kept or whose older values could not be read is refused at once', () => {
  const open = (kind: object) => memoryRecords<{ note: unknown }>({ kinds: { note: kind } });
  for (const version of [0, -1, 1.5, Number.NaN, 1e6, Number.POSITIVE_INFINITY, '2', null]) {
    expect(() => open({ version, upgrade }), String(version)).toThrow(RecordsError);
  }
  expect(() => open({ version: 2 })).toThrow(/no upgrade/);
  for (const kind of [{}, { version: 1 }, { version: 2, upgrade }, { version: maxVersion, upgrade }]) open(kind);
});
