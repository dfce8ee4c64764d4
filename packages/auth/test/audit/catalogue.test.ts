/** The catalogue and the sources say the same: no event without a description, no description of what nobody says. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are what is looked for here.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { reasonLabel } from '../../src/audit/counters.ts';
import { describeEvent, type EventDescription, events } from '../../src/audit/events.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const catalogue: Readonly<Record<string, EventDescription>> = events;

/** What a template can become: the literals that the file says after the word. Of others, whatever fits in the catalogue. */
const templates: Readonly<Record<string, { readonly file: string; readonly word: string }>> = {
  'client.document_${kind}': { file: 'packages/auth/src/net/cached-fetch.ts', word: 'kind' },
  'sign_in.${event}': { file: 'packages/local-cognito/src/events.ts', word: 'event' },
};

interface Said {
  readonly file: string;
  /** All literals of the expression behind `event:`. */
  readonly names: readonly string[];
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    // What is stored has a field `event`, too.
    else if (entry.name.endsWith('.ts') && entry.name !== 'record-fields.ts') yield path;
  }
}

function literals(expression: string): readonly string[] {
  return [...expression.matchAll(/'([^'\n]*)'|`([^`\n]*)`/g)].map(([, plain, template]) => plain ?? template ?? '');
}

function saidIn(file: string, text: string): readonly Said[] {
  // No parameter. Up to the end of the expression, which goes on where the next line begins with `?`, `:` or `|`.
  return [...text.matchAll(/(?<!\()\bevent:((?:\$\{[^}]*\}|\n\s*(?=[?:|])|[^,;{}\n])*)/g)]
    .map(([, expression = '']) => ({ file, names: literals(expression) }))
    .filter(({ names }) => names.length > 0);
}

const files = ['packages/auth/src', 'packages/gateway/src'].flatMap((folder) => [...sources(join(root, folder))]);
const texts = new Map(files.map((file) => [relative(root, file), readFileSync(file, 'utf8')]));
const said = [...texts].flatMap(([file, text]) => saidIn(file, text));

function expanded(name: string): readonly string[] {
  if (!name.includes('${')) return [name];
  const template = templates[name];
  if (!template) {
    const [before = '', after = ''] = name.split(/\$\{\w+\}/, 2);
    const fitting = Object.keys(catalogue).filter((one) => one.startsWith(before) && one.endsWith(after));
    return fitting.length > 0 ? fitting : [name];
  }
  const text = readFileSync(join(root, template.file), 'utf8');
  const values = [...text.matchAll(new RegExp(`\\b${template.word}: ((?:'[^']*'(?: \\| )?)+)`, 'g'))];
  return [...new Set(values.flatMap(([, list = '']) => literals(list)))].map((value) =>
    name.replace(/\$\{\w+\}/, value),
  );
}

it('the scan sees plain names, choices and templates', () => {
  const text =
    "log({ event: 'a.b', x });\nlog({\n  event: y >= 5 ? 'c' : 'd',\n});\nf({ event: `e_${kind}`, z });\n(event: X) => 'no';\nlog({ event: q(1)\n  ? 'f'\n  : 'g' });";
  expect(saidIn('f', text).map(({ names }) => names)).toEqual([['a.b'], ['c', 'd'], ['e_${kind}'], ['f', 'g']]);
  expect(expanded('client.document_${kind}')).toEqual([
    'client.document_fetched',
    'client.document_last_good',
    'client.document_fallback',
  ]);
  expect(expanded('sign_in.${event}')).toContain('sign_in.user.password_changed');
});

it('every event that the sources say is in the catalogue', () => {
  const unknown = said.flatMap(({ file, names }) =>
    names.flatMap(expanded).flatMap((name) => (describeEvent(name) ? [] : [`${name} in ${file}`])),
  );
  expect(unknown).toEqual([]);
});

it('every event of the catalogue is said somewhere', () => {
  const names = new Set(said.flatMap((one) => one.names.flatMap(expanded)));
  expect(names.size).toBeGreaterThan(35);
  expect(Object.keys(catalogue).filter((name) => !names.has(name))).toEqual([]);
});

it('no event has a name that this scan cannot read', () => {
  // `log({ event })` or `log({ event: name })` would say what no test compares.
  const hidden = [...texts].flatMap(([file, text]) =>
    // A parameter that is declared as a choice of literals has been scanned where it is declared.
    /\bevent: '/.test(text)
      ? []
      : [...text.matchAll(/\blog\(\{\s*event(?:\s*[,}]|:\s*[a-z][\w.]*\s*[,}\n])[^\n]*/g)].map(
          ([call]) => `${file}: ${call}`,
        ),
  );
  expect(hidden).toEqual([]);
});

it('every description is one sentence, in a closed set of words, with fields that have meanings', () => {
  for (const [name, { says, fields, sometimes = {} }] of Object.entries(catalogue)) {
    expect(name).toMatch(/^[a-z][a-z_]*(\.[a-z][a-z_]*)*$/);
    expect(says, name).toMatch(/^[A-Z].*\.$/);
    for (const [field, meaning] of Object.entries({ ...fields, ...sometimes })) {
      expect(field, name).toMatch(/^[a-zA-Z]+$/);
      expect(meaning, `${name}.${field}`).toMatch(/^[A-Z`].*\.$/);
      // What every event carries by itself cannot be a field.
      expect(['id', 'time', 'instance', 'event', 'level', 'outcome']).not.toContain(
        name.startsWith('http.') && field === 'outcome' ? '' : field,
      );
    }
    expect(Object.keys(fields).filter((field) => field in sometimes)).toEqual([]);
  }
});

it('every private reason counts under a family of its own', () => {
  const found = [...texts]
    .filter(([file]) => file.startsWith('packages/auth/') && !file.includes('/audit/'))
    .flatMap(([, text]) => [...text.matchAll(/\breason: '([a-z_.]+)'|refuse\([^\n]*, '([a-z_.]+)'\)/g)])
    .map(([, a, b]) => a ?? b ?? '');
  expect(found.length).toBeGreaterThan(60);
  // A new family is one word in the list of counters.ts.
  expect([...new Set(found)].filter((reason) => reasonLabel(reason) === 'other')).toEqual([]);
});

it('docs/events.md is what the catalogue says', () => {
  const out = execFileSync(process.execPath, [join(root, 'tools/generate-events.ts'), '--check'], { encoding: 'utf8' });
  expect(out).toBe('');
});
