/**
 * JSON of one reading (RFC 8259, and the care of RFC 7493 for keys): every parser must find in it what ours did. The text
 * that comes out is written anew: no spaces, one spelling for every string, numbers digit by digit as they came, because
 * a double would not hold all of them.
 */

/** Why it was refused: no JSON, a key twice, a key that parsers read differently, nested too deep, too many keys. */
export type JsonFault = 'syntax' | 'duplicate_key' | 'ambiguous_key' | 'depth' | 'keys';

/** Each is remembered and looked up: 8 MiB of nothing else would hold the process for seconds (SEC-10). */
const maxKeys = 100_000;

export type StrictJson =
  | { readonly text: string; readonly fault?: never }
  | { readonly fault: JsonFault; readonly text?: never };

export function strictJson(source: string, maxDepth: number): StrictJson {
  try {
    return { text: rewritten(source, maxDepth) };
  } catch (error) {
    if (error instanceof Fault) return { fault: error.fault };
    throw error;
  }
}

class Fault extends Error {
  readonly fault: JsonFault;
  constructor(fault: JsonFault) {
    super(fault);
    this.fault = fault;
  }
}

const numberAt = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const escapeAt = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const [quote, backslash] = [0x22, 0x5c];

function rewritten(source: string, maxDepth: number): string {
  const out: string[] = [];
  let at = 0;
  /** Where what is taken over as it stands begins. */
  let kept = 0;
  let keys = 0;

  /** What stood from `start` to here is left out. */
  const leaveOut = (start: number) => {
    out.push(source.slice(kept, start));
    kept = at;
  };
  /** The next character that is no space. */
  const next = () => {
    const start = at;
    for (let code = source.charCodeAt(at); code === 32 || code === 10 || code === 13 || code === 9; ) {
      at += 1;
      code = source.charCodeAt(at);
    }
    if (at > start) leaveOut(start);
    return source[at];
  };
  const take = (text: string) => {
    if (!source.startsWith(text, at)) throw new Fault('syntax');
    at += text.length;
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    if (!pattern.test(source)) throw new Fault('syntax');
    at = pattern.lastIndex;
  };
  const string = (): string => {
    const start = at;
    let escaped = false;
    take('"');
    for (;;) {
      const code = source.charCodeAt(at);
      if (code === quote) break;
      if (code === backslash) {
        escaped = true;
        match(escapeAt);
      } else if (code >= 0x20) at += 1;
      else throw new Fault('syntax'); // a control character, or NaN: the end
    }
    at += 1;
    if (!escaped) return source.slice(start + 1, at - 1);
    const value = JSON.parse(source.slice(start, at)) as string;
    leaveOut(start);
    out.push(JSON.stringify(value));
    return value;
  };
  const key = (seen: Set<string>) => {
    if (++keys > maxKeys) throw new Fault('keys');
    const name = string();
    // C programs end it at the null; Go reads every lone surrogate as the same U+FFFD.
    if (name.includes('\0') || !name.isWellFormed()) throw new Fault('ambiguous_key');
    if (seen.has(name)) throw new Fault('duplicate_key');
    seen.add(name);
  };
  const list = (close: string, item: () => void) => {
    at += 1;
    if (next() !== close) {
      for (;;) {
        item();
        if (next() === close) break;
        take(',');
        next();
      }
    }
    take(close);
  };
  const value = (depth: number) => {
    if (depth > maxDepth) throw new Fault('depth');
    switch (next()) {
      case '{': {
        const seen = new Set<string>();
        return list('}', () => {
          key(seen);
          next();
          take(':');
          value(depth + 1);
        });
      }
      case '[':
        return list(']', () => value(depth + 1));
      case '"':
        return void string();
      case 't':
        return take('true');
      case 'f':
        return take('false');
      case 'n':
        return take('null');
      default:
        return match(numberAt);
    }
  };

  value(0);
  next();
  if (at < source.length) throw new Fault('syntax');
  out.push(source.slice(kept));
  return out.join('');
}

/** Key to the text of its value, of an object as `strictJson` writes it; undefined of anything else. */
export function jsonMembers(text: string): Map<string, string> | undefined {
  if (!text.startsWith('{')) return undefined;
  return new Map(
    pieces(text).map((piece): [string, string] => {
      const end = stringEnd(piece, 0);
      return [JSON.parse(piece.slice(0, end)), piece.slice(end + 1)];
    }),
  );
}

/** The texts of the items of an array as `strictJson` writes it; undefined of anything else. */
export function jsonItems(text: string): readonly string[] | undefined {
  return text.startsWith('[') ? pieces(text) : undefined;
}

export function objectText(members: ReadonlyMap<string, string>): string {
  return `{${[...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}

/** What stands between the outermost commas. */
function pieces(text: string): readonly string[] {
  const found: string[] = [];
  let [start, depth] = [1, 0];
  for (let at = 1; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = stringEnd(text, at) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if ((character === '}' || character === ']') && depth > 0) depth -= 1;
    else if (depth === 0 && (character === ',' || character === '}' || character === ']')) {
      if (at > start) found.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return found;
}

/** Behind the closing quote of the string that opens at `at`. */
function stringEnd(text: string, at: number): number {
  for (let end = at + 1; ; end++) {
    const code = text.charCodeAt(end);
    if (code === quote) return end + 1;
    if (code === backslash) end += 1;
  }
}
