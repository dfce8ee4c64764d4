/** The `endpoint` events of a stream of HTTP+SSE (MCP 2024-11-05), told anew; every other event passes as it comes. */
import { UnfitAnswer } from './rewriter.ts';

/** Characters of one event, and of one line, that wait for its end: an `endpoint` event has fewer, and no message is held for long. */
export const heldCharacters = 16 * 1024;

/**
 * Takes the text of a stream in pieces and gives what may go out of each. `announced` gets the data of every `endpoint`
 * event and says what stands there instead; it may throw `UnfitAnswer`, and so does this where such an event cannot be read.
 */
export function endpointEvents(announced: (endpoint: string) => string): (piece: string) => string {
  /** Whole lines of an event that has not ended. */
  let held: string[] = [];
  let heldLength = 0;
  /** What there is of a line that has not ended. */
  let line = '';
  /** The beginning of that line is out. */
  let lineBegun = false;
  /** The beginning of that event is out: it was too long for an `endpoint` event. */
  let eventBegun = false;
  let afterReturn = false;

  /** What is held of an event that turned out long: it goes out, and the rest behind it. */
  const release = (): string => {
    if (held.some(namesEndpoint)) throw new UnfitAnswer(`an endpoint event of more than ${heldCharacters} characters`);
    const out = held.map((one) => `${one}\n`).join('');
    [held, heldLength, eventBegun] = [[], 0, true];
    return out;
  };
  const endOfEvent = (): string => {
    const out = held.some(namesEndpoint) ? toldAnew(held, announced) : held.map((one) => `${one}\n`).join('');
    [held, heldLength, eventBegun] = [[], 0, false];
    return `${out}\n`;
  };
  const endOfLine = (): string => {
    const ended = line;
    line = '';
    if (lineBegun) {
      lineBegun = false;
      return `${ended}\n`;
    }
    if (ended === '') return endOfEvent();
    // A comment keeps a connection alive, so it does not wait.
    if (ended.startsWith(':')) return `${ended}\n`;
    held.push(ended);
    heldLength += ended.length;
    return eventBegun || heldLength > heldCharacters ? release() : '';
  };
  /** What is there of a line already, where it is too long to wait for its end. */
  const longLine = (): string => {
    if (!lineBegun && line.length <= heldCharacters) return '';
    let out = '';
    if (!lineBegun && !line.startsWith(':')) {
      // Of the names of events, only: a lax client may take as `endpoint` what blanks surround.
      if (/^\s*(event\s*:|$)/i.test(line)) throw new UnfitAnswer(`a name of more than ${heldCharacters} characters`);
      out = release();
    }
    out += line;
    [line, lineBegun] = ['', true];
    return out;
  };

  return (piece) => {
    // The second half of a CR LF that came in two pieces is no line of its own.
    const text = afterReturn ? piece.replace(/^\n/, '') : piece;
    if (piece !== '') afterReturn = piece.endsWith('\r');
    const [first = '', ...starts] = text.split(/\r\n|\n|\r/);
    line += first;
    let out = '';
    for (const start of starts) {
      out += endOfLine();
      line = start;
    }
    return out + longLine();
  };
}

/** More generously than the standard (HTML, "Event stream interpretation"): a lax client may be as generous. */
function namesEndpoint(line: string): boolean {
  return /^\s*event\s*:\s*endpoint\s*$/i.test(line);
}

/** The lines of an `endpoint` event, without the one that ends it. */
function toldAnew(lines: readonly string[], announced: (endpoint: string) => string): string {
  const data = lines.filter((one) => /^data(:|$)/.test(one)).map((one) => one.slice(5).replace(/^ /, ''));
  const others = lines.filter((one) => /^(id|retry)(:|$)/.test(one));
  return ['event: endpoint', `data: ${announced(data.join('\n'))}`, ...others].map((one) => `${one}\n`).join('');
}
