/** Reads the titles of a Vitest file from its text: what `it`, `test` and `describe` are called with, and what is left out. */

export interface TestFile {
  /** Literal titles in order, of suites too; of an `each` the template, without its values. */
  readonly titles: readonly string[];
  /** `skip`, `todo`, `only` and their like, as they stand in the file. */
  readonly leftOut: readonly string[];
}

const calls = new Set(['it', 'test', 'describe']);
const leavingOut = new Set(['skip', 'todo', 'only', 'fails']);
const quotes = new Set(["'", '"', '`']);
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
/** After one of these a slash begins a regular expression; after anything else it divides. */
const beforeExpression = /(?:^|[([{},;:=!?&|+*%<>~^-]|\b(?:return|typeof|case|await|of|in))$/;

export function readTestFile(source: string): TestFile {
  const titles: string[] = [];
  const leftOut: string[] = [];
  const name = /[\w$]+/y;
  for (let at = 0; at < source.length; ) {
    const past = skipped(source, at);
    if (past > at) {
      at = past;
      continue;
    }
    name.lastIndex = at;
    const word = name.exec(source)?.[0];
    if (word === undefined) {
      at += 1;
      continue;
    }
    const called =
      calls.has(word) && !/[.\w$]/.test(source[at - 1] ?? '') ? readCall(source, at + word.length) : undefined;
    if (called) {
      leftOut.push(...called.members.filter((member) => leavingOut.has(member)).map((member) => `${word}.${member}`));
      if (called.title !== undefined) titles.push(called.title);
    }
    // Into the arguments again: suites hold tests.
    at += word.length;
  }
  return { titles, leftOut };
}

/** `.each(…)('title'`, from just behind the word; undefined where nothing is called. */
function readCall(source: string, from: number): { members: readonly string[]; title: string | undefined } | undefined {
  const members: string[] = [];
  let at = from;
  for (;;) {
    at = blank(source, at);
    if (source[at] === '.') {
      const member = /^\.\s*([\w$]+)/.exec(source.slice(at, at + 100));
      if (!member) return undefined;
      members.push(member[1] ?? '');
      at += member[0].length;
      continue;
    }
    if (source[at] === '`') {
      at = skipped(source, at);
      continue;
    }
    if (source[at] === '<') {
      at = typesEnd(source, at);
      continue;
    }
    if (source[at] !== '(') return members.length > 0 ? { members, title: undefined } : undefined;
    const first = blank(source, at + 1);
    const end = balanced(source, at);
    // A table is followed by one more call, which has the title: it.each(table)('title', …).
    if (source[blank(source, end)] === '(') {
      at = end;
      continue;
    }
    if (!quotes.has(source[first] ?? '')) return { members, title: undefined };
    const last = skipped(source, first);
    const options = /^\s*,\s*\{[^{}]*?\b(skip|todo|only|fails)\s*:\s*true/.exec(source.slice(last, end));
    return {
      members: options?.[1] === undefined ? members : [...members, options[1]],
      title: literal(source.slice(first + 1, last - 1)),
    };
  }
}

/** Behind `<string, () => number>`, the types a table is given. */
function typesEnd(source: string, from: number): number {
  let depth = 0;
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === '<') depth += 1;
    else if (source[at] === '>' && source[at - 1] !== '=') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return source.length;
}

/** Behind the bracket that closes the one at `from`. */
function balanced(source: string, from: number): number {
  const open: string[] = [];
  for (let at = from; at < source.length; ) {
    const past = skipped(source, at);
    if (past > at) {
      at = past;
      continue;
    }
    const char = source[at] ?? '';
    const close = closing[char];
    if (close !== undefined) open.push(close);
    else if (char === open.at(-1)) open.pop();
    at += 1;
    if (open.length === 0) return at;
  }
  return source.length;
}

/** Behind blanks and comments. */
function blank(source: string, from: number): number {
  let at = from;
  while (at < source.length) {
    const comment = commentEnd(source, at);
    if (comment > at) at = comment;
    else if (/\s/.test(source[at] ?? '')) at += 1;
    else break;
  }
  return at;
}

/** Behind the comment, text or regular expression that begins here; `at` itself where none does. */
function skipped(source: string, at: number): number {
  const comment = commentEnd(source, at);
  if (comment > at) return comment;
  const char = source[at] ?? '';
  if (quotes.has(char)) return textEnd(source, at, char);
  if (char === '/' && beforeExpression.test(source.slice(Math.max(0, at - 200), at).trimEnd())) {
    return expressionEnd(source, at);
  }
  return at;
}

function commentEnd(source: string, at: number): number {
  const end = source.startsWith('//', at) ? '\n' : source.startsWith('/*', at) ? '*/' : undefined;
  if (end === undefined) return at;
  const found = source.indexOf(end, at + 2);
  return found < 0 ? source.length : found + end.length;
}

function textEnd(source: string, from: number, quote: string): number {
  for (let at = from + 1; at < source.length; ) {
    if (source[at] === quote) return at + 1;
    if (quote === '`' && source.startsWith('${', at)) at = balanced(source, at + 1);
    else at += source[at] === '\\' ? 2 : 1;
  }
  return source.length;
}

function expressionEnd(source: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < source.length && source[at] !== '\n'; at += source[at] === '\\' ? 2 : 1) {
    if (source[at] === '[') inClass = true;
    else if (source[at] === ']') inClass = false;
    else if (source[at] === '/' && !inClass) return at + 1;
  }
  return from + 1;
}

/** The escapes that titles have: a quote or a backslash behind a backslash. */
function literal(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}
