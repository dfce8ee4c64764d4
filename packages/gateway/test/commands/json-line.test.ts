/** What commands answer with `--json` is often looked at in a terminal, and names in it are whatever a client called itself. */
import { expect, test } from 'vitest';
import { jsonLine } from '../../src/commands/usage.ts';

test.each(['\u009b2J', '\u001b]0;x\u0007', 'a\u202eb', 'a\u2066b', 'a\u200bb', '\u{e0041}x', 'a\nb\u2028', '\ud800'])(
  '%j comes back as it was, and no terminal acts on it',
  (name) => {
    const line = jsonLine({ name, [name]: ['Größe 大き 👍🏽 é', 1] });
    expect(JSON.parse(line)).toEqual({ name, [name]: ['Größe 大き 👍🏽 é', 1] });
    expect(line).not.toMatch(/[\p{C}\u2028\u2029]/u);
    expect(line).toContain('Größe 大き 👍🏽 é');
  },
);
