/** The report: chapters, clients and hints for a person, and the same for a program. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allRules } from '../../src/doctor/diagnose.ts';
import { chapters, type Diagnosis } from '../../src/doctor/finding.ts';
import { reportJson, reportText } from '../../src/doctor/report.ts';
import { at, doctor, members, metadataRoutes } from './broken/broken.ts';
import { type GoodServer, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
let diagnosis: Diagnosis;
beforeAll(async () => {
  server = await startGoodServer();
  diagnosis = await doctor(server, {
    change: at(metadataRoutes, members({ code_challenge_methods_supported: ['plain'], scopes_supported: [] })),
  });
});
afterAll(() => server.close());

const clients = [
  { client: 'one', name: 'Client One', outcome: 'fails', reasons: ['It needs S256.'] },
  { client: 'two', name: 'Client Two', outcome: 'works', reasons: [] },
] as const;

it('tells faults before warnings and notes, chapter by chapter, then the clients', () => {
  const text = reportText(
    { ...diagnosis, clients, hints: ({ id }) => [`Change ${id}.`] },
    { colours: false, width: 100 },
  );
  const marks = [...text.matchAll(/^ {2}([✗!·✓?]) (.*?)( [a-z]+\.[a-z-]+)?$/gm)].map(
    ([, mark, , id]) => `${mark}${id ?? ''}`,
  );
  expect(marks).toEqual([
    '· address.not-public',
    '✗ server.no-pkce',
    '· server.pkce-plain',
    '· server.no-offline-access',
    '✗',
    '✓',
  ]);
  expect(text).toContain('      fix   Change server.no-pkce.');
  expect(text).toMatch(/✗ Client One\n {6}It needs S256\.\n/);
  expect(text.trimEnd().split('\n').at(-1)).toBe('1 fault; 3 notes.');
});

it('keeps to its width, and needs no colours', () => {
  for (const width of [60, 80, 110]) {
    const lines = reportText({ ...diagnosis, clients }, { colours: false, width }).split('\n');
    // Headings and what cannot be broken stay whole.
    const wide = lines.filter((line) => line.startsWith('      ') && line.length > width && line.trim().includes(' '));
    expect(
      wide.filter((line) =>
        line
          .trim()
          .split(' ')
          .every((word) => word.length < width - 20),
      ),
    ).toEqual([]);
  }
});

it('has the same findings, clients and hints for a program', () => {
  const report = JSON.parse(reportJson({ ...diagnosis, clients, hints: () => ['Change it.'] })) as {
    findings: ReadonlyArray<{ id: string; hints: unknown }>;
    clients: unknown;
  };
  expect(report.findings.map(({ id }) => id)).toEqual(diagnosis.findings.map(({ id }) => id));
  expect(report.findings.map(({ hints }) => hints)).toEqual(diagnosis.findings.map(() => ['Change it.']));
  expect(report.clients).toEqual(clients);
  expect(JSON.parse(reportJson({ ...diagnosis, clients })).findings[0]).not.toHaveProperty('hints');
});

it('can say of every rule what it is, why it matters, where it stands and what to do', () => {
  for (const { id, title, why, spec, cure } of allRules) {
    expect(Object.keys(chapters)).toContain(id.slice(0, id.indexOf('.')));
    expect(id).toMatch(/^[a-z]+\.[a-z0-9-]+$/);
    for (const words of [why, cure]) expect(words, id).toMatch(/^\p{Lu}.*[.?]$|^[a-z]+.*[.?]$/u);
    expect(title, id).not.toMatch(/[.!]$/);
    expect(title.length, id).toBeLessThan(100);
    expect(spec.length, id).toBeGreaterThan(0);
  }
});
