/** Chance that can be repeated: one seed gives one sequence, and each lane of a run has a sequence of its own. */

export interface Random {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number;
  /** True in `share` of all cases, 0 to 1. */
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** sfc32 (PractRand's small fast counter): 128 bits of state, good enough to look for faults with and for nothing else. */
export function random(seed: number, lane: number): Random {
  let [a, b, c, counter] = [seed >>> 0, lane >>> 0, 0x9e3779b9, 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  const below = (limit: number) => Math.floor((next() / 2 ** 32) * limit);
  return {
    below,
    chance: (share) => next() / 2 ** 32 < share,
    pick: <T>(list: readonly T[]) => list[below(list.length)] as T,
    bytes(length) {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at++) bytes[at] = next() & 0xff;
      return bytes;
    },
  };
}

/** What text can be to a program that did not expect it. `<fuzz>` and `x-injected` are looked for in the answers. */
export const hostile: readonly string[] = [
  '',
  ' ',
  '\t',
  '0',
  '-1',
  '1e999',
  'null',
  'undefined',
  'true',
  '[]',
  '{}',
  '[object Object]',
  '__proto__',
  'constructor',
  'toString',
  '\u0000',
  'a\u0000b',
  '\u0007\u001b[31m',
  '\u007f',
  '\r\nx-injected: 1\r\n\r\n<fuzz>',
  '\nx-injected: 1',
  '"><fuzz>',
  "'><fuzz>",
  '<fuzz onload=1>',
  '&lt;fuzz&gt;',
  '</title><fuzz>',
  '{{7*7}}',
  "' OR 1=1--",
  '../../../../etc/passwd',
  '..%2f..%2f',
  '%',
  '%zz',
  '%00',
  '%0d%0ax-injected:%201',
  '\ufeffx',
  '\u202eevil',
  'e\u0301',
  'ﬀ',
  'İ',
  '🙂'.repeat(40),
  '你好',
  'https://evil.example/',
  'https://evil.example\\@127.0.0.1/callback',
  'http://127.0.0.1:59999@evil.example/callback',
  'http://127.0.0.1:59999/callback/../evil',
  'http://127.0.0.1:59999/callback#x',
  'http://127.0.0.1:99999/callback',
  'http://[::1]/callback',
  'http://localhost.evil.example/callback',
  '//evil.example/',
  'javascript:alert(1)',
  'data:text/html,<fuzz>',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'a.b.c',
  '...',
  '.',
  '='.repeat(50),
  'x'.repeat(4096),
  'x'.repeat(4097),
  ' '.repeat(5000),
  'mcp '.repeat(300),
];
