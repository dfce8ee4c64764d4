/** The report: for a person at a terminal, and as JSON of a shape that stays. Pure. */
import { type Facts, headerOf, lastOf } from './facts.ts';
import { type Chapter, type ClientVerdict, chapters, type Diagnosis, type Finding, type Severity } from './finding.ts';
import { frontDoorsOf } from './front-doors.ts';
import { objectOf } from './probe/metadata.ts';
import { safeJson, shown } from './text.ts';

export interface ReportParts extends Diagnosis {
  readonly clients: readonly ClientVerdict[];
  /** What to do at the front door that was seen, a line each; with `--fix`. */
  readonly hints?: (finding: Finding) => readonly string[];
}

export interface ReportStyle {
  readonly colours: boolean;
  /** Columns to wrap at. */
  readonly width: number;
}

/** Grows only: members are added, never renamed or taken away. */
export function reportJson(parts: ReportParts): string {
  const { facts, findings, clients, hints } = parts;
  return safeJson({
    version: 1,
    url: facts.typed.url,
    ...summary(parts),
    findings: findings.map(({ id, chapter, severity, title, saw, why, spec, cure }, at) => ({
      id,
      chapter,
      severity,
      title,
      saw,
      why,
      spec,
      cure,
      ...(hints && { hints: hints(findings[at] as Finding) }),
    })),
    clients,
    frontDoors: frontDoorsOf(facts),
    tookMs: Math.round(facts.ms),
    requests: facts.requests,
    unfinished: facts.unfinished,
    facts,
  });
}

function summary({ facts, findings }: Diagnosis) {
  const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  return {
    answered: facts.endpoint !== undefined,
    faults: count('fault'),
    warnings: count('warning'),
    notes: count('note'),
  };
}

const marks: Readonly<Record<Severity, readonly [mark: string, colour: number]>> = {
  fault: ['✗', 31],
  warning: ['!', 33],
  note: ['·', 36],
};

const outcomes: Readonly<Record<ClientVerdict['outcome'], readonly [mark: string, colour: number]>> = {
  works: ['✓', 32],
  partly: ['!', 33],
  fails: ['✗', 31],
  unknown: ['?', 36],
};

export function reportText(parts: ReportParts, { colours, width }: ReportStyle): string {
  const { facts, findings, clients, hints } = parts;
  const paint = (code: number, text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  const bold = (text: string) => paint(1, text);
  const dim = (text: string) => paint(2, text);
  const labelled = (label: string, text: string) => wrapped(shown(text, 2000), `      ${label.padEnd(5)} `, width);
  const lines: string[] = [bold(shown(facts.typed.url)), dim(scopeWords(parts)), ''];

  for (const [chapter, title] of Object.entries(chapters)) {
    const here = findings.filter((finding) => finding.chapter === chapter);
    if (here.length === 0) {
      lines.push(
        isExamined(chapter as Chapter, facts) ? `${paint(32, '✓')} ${title}` : dim(`– ${title}: not examined`),
      );
      continue;
    }
    if (lines.at(-1) !== '') lines.push('');
    lines.push(bold(title));
    for (const finding of here) {
      const [mark, colour] = marks[finding.severity];
      lines.push(`  ${paint(colour, mark)} ${paint(colour, finding.title)} ${dim(finding.id)}`);
      lines.push(...labelled('saw', finding.saw));
      lines.push(...labelled('why', finding.why));
      lines.push(...labelled('do', finding.cure));
      lines.push(...fixes(hints?.(finding) ?? [], width));
      lines.push(...labelled('spec', finding.spec).map(dim), '');
    }
  }
  if (lines.at(-1) !== '') lines.push('');
  if (clients.length > 0) {
    lines.push(bold('Clients'));
    for (const { name, outcome, reasons } of clients) {
      const [mark, colour] = outcomes[outcome];
      lines.push(`  ${paint(colour, mark)} ${shown(name)}`);
      for (const reason of reasons) lines.push(...wrapped(shown(reason, 1000), '      ', width));
    }
    lines.push('');
  }
  for (const words of facts.unfinished) lines.push(...wrapped(shown(words), 'Not examined: ', width));
  return `${[...lines, ...verdict(parts, paint)].join('\n')}\n`;
}

/** Configuration stays as it is, to be copied: wrapped it is none. Sentences are for reading. */
function fixes(hints: readonly string[], width: number): readonly string[] {
  return hints.flatMap((line, at) => {
    const label = `      ${(at === 0 ? 'fix' : '').padEnd(5)} `;
    const sentence = /^\S.*[.:]$/.test(line) && label.length + line.length > width;
    return sentence ? wrapped(line, label, width) : [label + line];
  });
}

/** Whether anything of it was seen: silence about the rest is no praise. */
function isExamined(chapter: Chapter, { tls, endpoint, authorizationServers: servers, ...facts }: Facts): boolean {
  switch (chapter) {
    case 'address':
      return true;
    case 'tls':
      return tls.some(({ protocol }) => protocol !== undefined);
    case 'resource':
      return facts.resourceMetadata.some(({ fetched }) => objectOf(fetched) !== undefined);
    case 'server':
      return servers.length > 0;
    case 'registration':
      return servers.some(({ registrations }) => registrations.length > 0);
    case 'authorize':
    case 'token':
      return servers.some((server) => server[chapter] !== undefined);
    case 'session':
      return facts.session !== undefined;
    case 'challenge':
    case 'browser':
    case 'speed':
      return endpoint !== undefined;
  }
}

function scopeWords({ facts }: ReportParts): string {
  const { endpoint } = facts;
  const doors = frontDoorsOf(facts);
  const server = endpoint && headerOf(lastOf(endpoint.initialize).answer, 'server');
  return [
    `${counted(facts.requests, 'request')} in ${(facts.ms / 1000).toFixed(1)} s`,
    ...(doors.length > 0
      ? [`behind ${doors.join(', ')}`]
      : server === undefined
        ? []
        : [`server ${shown(server, 40)}`]),
    ...facts.authorizationServers.map(({ issuer }) => `authorization server ${shown(issuer, 100)}`),
  ].join(' · ');
}

function verdict(parts: ReportParts, paint: (code: number, text: string) => string): readonly string[] {
  const { faults, warnings, notes } = summary(parts);
  const rest = [warnings > 0 && counted(warnings, 'warning'), notes > 0 && counted(notes, 'note')].filter(Boolean);
  const beside = rest.length === 0 ? '' : `; ${rest.join(', ')}`;
  if (faults === 0 && !parts.facts.endpoint) return [paint(31, `It could not be examined${beside}.`)];
  return faults > 0 ? [paint(31, `${counted(faults, 'fault')}${beside}.`)] : [paint(32, `No faults${beside}.`)];
}

function counted(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** The first line begins with the label, the others under its text. */
function wrapped(text: string, label: string, width: number): readonly string[] {
  const room = Math.max(30, width - label.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one, at) => (at === 0 ? label : ' '.repeat(label.length)) + one);
}
