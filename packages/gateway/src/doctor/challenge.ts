/** `WWW-Authenticate` as a careful client reads it: RFC 9110 §11.6.1, with several challenges in one or more headers. Pure. */
import { type Answer, headerOf, headersOf } from './facts.ts';

export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Lower-case names; the first of each. */
  readonly parameters: ReadonlyMap<string, string>;
}

export interface Challenges {
  readonly challenges: readonly Challenge[];
  /** The text from where it stops being one; undefined: all of it could be read. */
  readonly unreadable?: string;
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const quotedString = /"((?:[^"\\]|\\.)*)"/y;
const token68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;

export function challengesOf(answer: Pick<Answer, 'headers'> | undefined): Challenges {
  const challenges: Challenge[] = [];
  for (const value of headersOf(answer, 'www-authenticate')) {
    const unreadable = readHeader(value, challenges);
    if (unreadable !== undefined) return { challenges, unreadable };
  }
  return { challenges };
}

/** A parameter of the first Bearer challenge. */
export function bearerParameter(answer: Pick<Answer, 'headers'> | undefined, name: string): string | undefined {
  return bearerOf(answer)?.parameters.get(name);
}

export function bearerOf(answer: Pick<Answer, 'headers'> | undefined): Challenge | undefined {
  return challengesOf(answer).challenges.find(({ scheme }) => scheme === 'bearer');
}

/** The challenge under the name that Function URLs and API Gateway give it. */
export function renamedChallenge(answer: Pick<Answer, 'headers'> | undefined): string | undefined {
  return headerOf(answer, 'x-amzn-remapped-www-authenticate');
}

/** Adds what it reads; gives the rest where it cannot. */
function readHeader(value: string, challenges: Challenge[]): string | undefined {
  let at = 0;
  let parameters: Map<string, string> | undefined;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (match) at = pattern.lastIndex;
    return match ?? undefined;
  };
  for (;;) {
    take(/[\s,]*/y);
    if (at >= value.length) return undefined;
    const start = at;
    const name = take(token)?.[0].toLowerCase();
    if (name === undefined) return value.slice(start);
    if (take(/\s*=\s*/y)) {
      const text = take(quotedString)?.[1]?.replace(/\\(.)/g, '$1') ?? take(token)?.[0];
      // A parameter must stand in a challenge, and be followed by a comma or the end.
      if (!parameters || text === undefined || !take(/\s*(?=,|$)/y)) return value.slice(start);
      if (!parameters.has(name)) parameters.set(name, text);
      continue;
    }
    parameters = new Map();
    challenges.push({ scheme: name, parameters });
    if (!take(/\s+/y)) continue;
    const before = at;
    // Credentials in place of parameters (`Negotiate oRQ…=`): a lone word is that, `name=value` is not.
    if (take(token68) && value[at] !== ',' && at < value.length) at = before;
  }
}
