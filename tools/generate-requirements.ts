/** `docs/requirements.md` from the requirements table, so that it cannot say what no test shows. `--check` only says whether it is up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Requirement, TestReference, VulnerabilityClass } from '../conformance/requirements/requirement.ts';
import { revisions } from '../conformance/requirements/requirement.ts';
import { vulnerabilities } from '../conformance/requirements/vulnerabilities.ts';
import { requirements } from '../conformance/requirements.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = 'docs/requirements.md';

const sections: ReadonlyArray<readonly [prefix: string, title: string, about: string]> = [
  ['AS', 'Authorization server', 'What clients may expect of our endpoints.'],
  ['PX', 'Proxy to an identity provider', 'One client id there, many clients here: the confused deputy.'],
  ['RS', 'Resource server', 'What the gateway answers for in front of an MCP server.'],
  ['SEC', 'Security', 'What we promise beyond any specification.'],
  ['REL', 'Reliability', 'What we promise for bad days.'],
  ['GW', 'Gateway', 'What we promise to whoever puts it in front of a server, and to whoever runs it.'],
];

const text = page();
const path = join(root, file);
const current = readOrNothing(path);
if (current !== text) {
  const check = process.argv.includes('--check');
  if (check) {
    process.stderr.write(`Run node tools/generate-requirements.ts and commit what it writes.\n`);
    process.exitCode = 1;
  } else writeFileSync(path, text);
  process.stdout.write(`${check ? 'out of date' : 'written'}: ${file}\n`);
}

function page(): string {
  const shown = requirements.filter(({ tests }) => tests !== undefined);
  const open = requirements.filter(({ later }) => later !== undefined);
  const others = requirements.filter(({ notOurs }) => notOurs !== undefined);
  return `# Requirements, and the tests that show them

<!-- Generated from conformance/requirements.ts by \`node tools/generate-requirements.ts\`; do not edit. -->

Every requirement of MCP authorization and every promise of ours, each with the tests that would fail without it, and every class of
vulnerability that we know of in this field with its regression tests. \`conformance/requirements/coverage.test.ts\` keeps both ways true:
a requirement without a test fails, and so does a test file that shows nothing.

${requirements.length} requirements: ${shown.length} shown by tests, ${open.length} with something still to come, ${others.length} that are not
ours to keep. ${vulnerabilities.length} classes of vulnerability. Sources without a name are files of the MCP specification's repository, below
\`docs/specification/2026-07-28/\` unless another revision is named. CIMD is draft-ietf-oauth-client-id-metadata-document-01.

${sections.map(([prefix, title, about]) => section(prefix, title, about)).join('\n')}
## Classes of vulnerability

What somebody has shipped, here or in a neighbouring field.

| Id | What goes wrong | Seen in | Tests |
|---|---|---|---|
${vulnerabilities.map(vulnerabilityRow).join('\n')}
`;
}

function section(prefix: string, title: string, about: string): string {
  const rows = requirements.filter(({ id }) => id.startsWith(`${prefix}-`));
  const ours = rows.every(({ level }) => level === 'PROMISE');
  return `## ${title}

${about}

| Id | ${ours ? '' : 'Level | '}Requirement | ${ours ? '' : 'Source | Revisions | '}Tests |
|---|${ours ? '' : '---|'}---|${ours ? '' : '---|---|'}---|
${rows.map((row) => requirementRow(row, ours)).join('\n')}
`;
}

function requirementRow(row: Requirement, ours: boolean): string {
  const { id, level, requirement, source, tests = [], notOurs, later } = row;
  const proof = [
    ...tests.map(link),
    ...(notOurs === undefined ? [] : [`Not ours: ${cell(notOurs)}`]),
    ...(later === undefined ? [] : [`To come: ${cell(later)}`]),
  ].join('<br>');
  const cells = ours
    ? [id, cell(requirement), proof]
    : [id, level, cell(requirement), cell(source), revisionsOf(row), proof];
  return `| ${cells.join(' | ')} |`;
}

function vulnerabilityRow({ id, cause, seenIn, tests }: VulnerabilityClass): string {
  return `| ${[id, cell(cause), cell(seenIn), tests.map(link).join('<br>')].join(' | ')} |`;
}

function revisionsOf({ revisions: those }: Requirement): string {
  if (those.length === revisions.length) return 'all';
  if (those.at(-1) === revisions.at(-1)) return those.length === 1 ? `${those[0]}` : `since ${those[0]}`;
  return `until ${those.at(-1)}`;
}

/** To the file, from the folder the page is in; a browser's search finds the title. */
function link({ file: test, title }: TestReference): string {
  return `[${cell(title).replace(/[[\]]/g, '\\$&')}](../${test})`;
}

function cell(words: string): string {
  return words.replace(/[\\|<>*_`]/g, '\\$&').replaceAll('\n', ' ');
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
