/** The page of what is stored names every kind and field, and nothing twice. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiKinds } from '../apps/ankify/src/api/idempotency.ts';
import { ankifyKinds } from '../apps/ankify/src/decks/deck.ts';
import { authKinds } from '../packages/auth/src/authorization-server/records.ts';
import { fieldTables, kindTable, recordsPage } from './generate-records.ts';

test('every kind has a row and a table of its fields', () => {
  const page = recordsPage();
  for (const kind of [...Object.keys(authKinds), ...Object.keys(ankifyKinds), ...Object.keys(apiKinds)]) {
    // With its version: a field of another kind may have the same name.
    expect(page.match(new RegExp(`\\n\\| \`${kind}\` \\| \\d+ \\| `, 'g')), kind).toHaveLength(1);
    expect(page.split(`\n### \`${kind}\`\n`), kind).toHaveLength(2);
  }
});

test('a kind says its version, a field what it is and how it is kept', () => {
  const described = {
    note: {
      id: 'a|b',
      life: 'a day',
      fields: {
        'title?': ['text', 'plain', 'its title'],
        parts: { each: { secret: ['text', 'sealed', 'a secret'], tags: ['texts', 'plain', 'tags'] } },
      },
    },
    other: { id: 'x', life: 'y', fields: {} },
  };
  const rows = kindTable({ note: { version: 3 }, other: {} }, described).split('\n');
  expect(rows.slice(2)).toEqual(['| `note` | 3 | a\\|b | a day |', '| `other` | 1 | x | y |']);
  expect(fieldTables(described)).toContain(
    [
      '| `title?` | text | plain | its title |',
      '| `parts[].secret` | text | sealed | a secret |',
      '| `parts[].tags` | list of text | plain | tags |',
    ].join('\n'),
  );
});

test('the page in the repository is this one', () => {
  expect(readFileSync(new URL('../docs/records.md', import.meta.url), 'utf8')).toBe(recordsPage());
});
