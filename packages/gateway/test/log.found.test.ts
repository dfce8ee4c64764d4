/** Faults found in src/log.ts; each test passes once its fault is mended. */
import { expect, it } from 'vitest';
import { createLog } from '../src/log.ts';

function written(format: 'json' | 'text', event: { event: string; [field: string]: unknown }): string {
  const lines: string[] = [];
  createLog(format, (line) => lines.push(line))(event);
  return lines.join('');
}

// log.ts:31: JSON escapes U+0000–U+001F and no more. U+009B is CSI to a terminal that reads eight bits, U+007F and the
// direction marks change what a person sees.
it.each([
  ['CSI in one character', '\u009b31m'],
  ['OSC in one character', '\u009d0;owned\u009c'],
  ['delete', 'a\u007f'],
  ['right to left', 'a\u202eb'],
  ['isolate', 'a\u2066b'],
  ['line separator', 'a\u2028b'],
])('text holds nothing a terminal acts on: %s', (_, value) => {
  const line = written('text', { event: 'e', value });
  expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u);
});

// log.ts:17, 30: `cause` is an Error where the guard or a record fails (gatehouse.ts passes it on); it becomes "{}", so
// the log of a 503 does not say why.
it.each(['json', 'text'] as const)('%s says what an Error says', (format) => {
  const line = written(format, { event: 'guard.refused', cause: new Error('the database is away') });
  expect(line).toContain('the database is away');
});

// log.ts:17: a value that JSON cannot hold makes the log throw, inside the guard and inside the last handler of a
// request: the refusal becomes a 500, or the process ends on an unhandled rejection.
it.each(['json', 'text'] as const)('%s writes a line whatever the value', (format) => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const angry = {
    toJSON() {
      throw new Error('no');
    },
  };
  for (const cause of [circular, 1n, angry, Symbol('s'), () => 1]) {
    expect(written(format, { event: 'e', cause })).toMatch(/\be\b.*\n$/);
  }
});
