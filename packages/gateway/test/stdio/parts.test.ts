/** The parts of a stdio target by themselves: lines, messages, environment and back-off, against every input there may be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backOff } from '../../src/stdio/back-off.ts';
import { childEnvironment } from '../../src/stdio/environment.ts';
import { harmless, type LongLine, lineReader, rateGate } from '../../src/stdio/lines.ts';
import { changed, membersOf, readServerLine } from '../../src/stdio/wire.ts';

/** An object with any value under any key, and its text with any indentation. */
const written = fc
  .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 1, '\t', ' \r'))
  .map(([value, space]) => ({ value, text: JSON.stringify(value, undefined, space).replaceAll('\n', '\r') }));

test('The outermost keys of any message are found with their values, and putting them together again changes nothing.', () => {
  fc.assert(
    fc.property(written, ({ value, text }) => {
      const members = membersOf(text);
      const read = JSON.parse(text) as Record<string, unknown>;
      expect([...members.keys()].sort()).toEqual(Object.keys(value).sort());
      for (const [key, part] of members) expect(JSON.parse(part)).toEqual(read[key]);
      expect(JSON.parse(changed(members, {}))).toEqual(read);
    }),
  );
});

test('A line of a server is a message or a reason, never an exception; and never holds a line break.', () => {
  const line = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes.filter((one) => one !== 10))),
    fc.string().map((text) => Buffer.from(text.replaceAll('\n', ''))),
    fc
      .tuple(written, fc.jsonValue(), fc.constantFrom('id', 'method', 'result', 'error', 'x'))
      .map(([{ value }, part, key]) =>
        Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...value, [key]: part }, undefined, '\r').replaceAll('\n', '\r')),
      ),
  );
  fc.assert(
    fc.property(line, (bytes) => {
      const message = readServerLine(bytes);
      if (message === undefined || typeof message === 'string') return;
      expect(message.members.get('jsonrpc')).toBe('"2.0"');
      expect(changed(message.members, {})).not.toMatch(/[\r\n]/);
      if (message.kind === 'request') expect(['string', 'number']).toContain(typeof JSON.parse(message.id as string));
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['{"jsonrpc":"2.0","id":1,"method":"a"}', 'request'],
  ['{"jsonrpc":"2.0","method":"a"}', 'notification'],
  [' {"id":"1" ,"result":{}, "jsonrpc" : "2.0"}\r', 'response'],
  ['{"jsonrpc":"2.0","error":{}}', 'response'],
  ['{"jsonrpc":"2.0","id":null,"method":"a"}', 'not_rpc'],
  ['{"jsonrpc":"2.0","id":1,"result":1,"error":1}', 'not_rpc'],
  ['{"jsonrpc":"1.0","id":1,"method":"a"}', 'not_rpc'],
  ['[]', 'not_rpc'],
  ['null', 'not_rpc'],
  ['{', 'not_json'],
  ['', undefined],
])('%s is %s', (line, kind) => {
  const message = readServerLine(Buffer.from(line));
  expect(typeof message === 'object' ? message.kind : message).toBe(kind);
});

test('Lines come out as they went in however they were cut, and of one that is too long the ends and the size.', () => {
  const lines = fc.array(
    fc.string({ maxLength: 60 }).map((text) => text.replaceAll('\n', '')),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(lines, fc.array(fc.nat(7)), (texts, cuts) => {
      const got: string[] = [];
      const long: LongLine[] = [];
      const reader = lineReader(
        40,
        (one) => got.push(one.toString()),
        (one) => long.push(one),
      );
      let rest = Buffer.from(texts.map((one) => `${one}\n`).join(''));
      for (const cut of cuts) {
        reader.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      reader.push(rest);
      reader.end();
      const isLong = (one: string) => Buffer.byteLength(one) > 40;
      expect(got).toEqual(texts.filter((one) => one !== '' && !isLong(one)));
      expect(long.map((one) => one.bytes)).toEqual(texts.filter(isLong).map((one) => Buffer.byteLength(one)));
    }),
  );
});

test('Of a line without an end nothing but its ends is held.', () => {
  const long: LongLine[] = [];
  const reader = lineReader(
    1000,
    () => {},
    (one) => long.push(one),
  );
  const piece = Buffer.alloc(100_000, 'm');
  reader.push(Buffer.from('begins '));
  for (let n = 0; n < 100; n++) reader.push(piece);
  reader.push(Buffer.from(' ends\n'));
  const [only] = long;
  expect(only?.bytes).toBe(10_000_012);
  expect(only?.head).toMatch(/^begins m+$/);
  expect(only?.tail).toMatch(/^m+ ends$/);
  expect((only?.head.length ?? 0) + (only?.tail.length ?? 0)).toBe(512);
});

test('What stands in the log has no character that acts on a terminal, and is as long as it may be.', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      expect(harmless(text, 100)).not.toMatch(/\p{Cc}|\p{Cf}|\p{Cs}|\u2028|\u2029/u);
    }),
  );
  expect(harmless('x'.repeat(500), 100)).toHaveLength(100);
});

test('So many at once, and so many a second after that.', () => {
  let time = 0;
  const gate = rateGate({ burst: 3, perSecond: 2 }, () => time);
  const passed = () => Array.from({ length: 10 }, gate).filter(Boolean).length;
  expect(passed()).toBe(3);
  time = 1;
  expect(passed()).toBe(2);
  time = 1000;
  expect(passed()).toBe(3);
});

test('Back-off forgives once, doubles, has jitter and an end, and forgets.', () => {
  let time = 0;
  let random = 0;
  const restarts = backOff(
    () => time,
    () => random,
  );
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    restarts.failed();
    waits.push(restarts.wait());
  }
  expect(waits).toEqual([0, 0.5, 1, 2, 4, 8, 16, 30, 30]);
  random = 1;
  restarts.failed();
  expect(restarts.wait()).toBe(60);
  expect(restarts.clear).toBe(false);
  time = 601;
  expect([restarts.wait(), restarts.clear]).toEqual([0, true]);
  restarts.failed();
  restarts.failed();
  restarts.succeeded();
  expect(restarts.wait()).toBe(0);
});

test('The environment of a process is what is configured, what any program needs, and whose it is.', () => {
  const own = {
    PATH: '/bin',
    HOME: '/root',
    AWS_SECRET_ACCESS_KEY: 's',
    NODE_OPTIONS: '--require x',
    SHELL: '() { :;}',
  };
  expect(childEnvironment({ A: '1', GATEHOUSE_SUBJECT: 'made up' }, undefined, own)).toEqual({
    PATH: '/bin',
    HOME: '/root',
    A: '1',
  });
  const owner = { subject: 's', identityIssuer: 'https://idp', identitySubject: 'with\0null' };
  expect(childEnvironment({ PATH: '/mine', GATEHOUSE_SUBJECT: 'made up' }, owner, own)).toEqual({
    PATH: '/mine',
    HOME: '/root',
    GATEHOUSE_SUBJECT: 's',
    GATEHOUSE_IDENTITY_ISSUER: 'https://idp',
  });
});
