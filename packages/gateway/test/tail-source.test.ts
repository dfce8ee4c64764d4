/** What `gatehouse tail` reads from, step by step: no line is lost when a log is rotated, and none fills the memory. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, it } from 'vitest';
import { fileBytes } from '../src/tail/follow.ts';
import { linesOf } from '../src/tail/lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tail-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('what was written to the old file until the new one was seen is read before it', async () => {
  const path = join(folder, 'rotated.log');
  writeFileSync(path, 'one\n');
  const stop = new AbortController();
  const bytes = fileBytes(path, {
    follow: true,
    everyMs: 5,
    signal: stop.signal,
    // Between the last look into the old file and the first at its name.
    onEnd() {
      appendFileSync(path, 'two\nhalf');
      renameSync(path, `${path}.1`);
      writeFileSync(path, 'three\n');
    },
  });
  const lines: Array<string | undefined> = [];
  for await (const line of linesOf(bytes)) {
    lines.push(line);
    if (line === 'three') stop.abort();
  }
  expect(lines).toEqual(['one', 'two', 'half', 'three']);
});

it.each([
  [0, 'aa\nbb\ncc\n', ['aa', 'bb', 'cc']],
  [100, 'aa\nbb\ncc\n', ['aa', 'bb', 'cc']],
  // In the middle of a line, and just behind one.
  [4, 'aa\nbb\ncc\n', ['cc']],
  [6, 'aa\nbb\ncc\n', ['bb', 'cc']],
  [2, 'aa\nbb\ncc', ['cc']],
])('the last %d bytes of %j begin with a whole line', async (lastBytes, text, expected) => {
  const path = join(folder, `last-${lastBytes}.log`);
  writeFileSync(path, text);
  const options = { follow: false, onEnd: () => {}, signal: new AbortController().signal };
  const lines: Array<string | undefined> = [];
  for await (const line of linesOf(fileBytes(path, { ...options, ...(lastBytes > 0 && { lastBytes }) })))
    lines.push(line);
  expect(lines).toEqual(expected);
});

it('lines may be cut anywhere, even inside a character, and one that is too long is let go of as it comes', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let held = 0;
  async function* chunks() {
    yield* [Buffer.from('a\u00e9'), Buffer.from('b\r\n\n')].flatMap((part) =>
      [...part].map((byte) => Buffer.from([byte])),
    );
    gc();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 400; i++) yield Buffer.alloc(1024 * 1024, 'x');
    // What a collection frees of buffers is counted off a moment later.
    for (let turn = 0; turn < 20; turn++) {
      gc();
      await setImmediate();
    }
    held = process.memoryUsage().arrayBuffers - before;
    yield Buffer.from('\nlast');
  }
  const lines: Array<string | undefined> = [];
  for await (const line of linesOf(chunks())) lines.push(line);
  expect(lines).toEqual(['aéb', '', undefined, 'last']);
  // Of 400.
  expect(held).toBeLessThan(200 * 1024 * 1024);
});
