/** The `endpoint` events of a stream of HTTP+SSE, however the stream is cut and spelt; and that nothing else is touched or held. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointEvents, heldCharacters } from '../src/proxy/legacy-sse-events.ts';
import { UnfitAnswer } from '../src/proxy/rewriter.ts';

/** All that goes out of a stream that comes in these pieces. */
function told(...pieces: string[]): string {
  const push = endpointEvents((endpoint) => `<${endpoint}>`);
  return pieces.map(push).join('');
}

/**
 * As the standard reads a stream (HTML, "Event stream interpretation"), written for the test; but an event that has the
 * name `endpoint` among others has it, and is one without data, too.
 */
function eventsIn(stream: string): Array<readonly [type: string, data: string]> {
  const events: Array<readonly [string, string]> = [];
  let [types, data]: [string[], string[]] = [[], []];
  for (const line of stream.split(/\r\n|\n|\r/)) {
    if (line === '') {
      const type = types.includes('endpoint') ? 'endpoint' : (types.at(-1) ?? '');
      if (data.length > 0 || type === 'endpoint') events.push([type, data.join('\n')]);
      [types, data] = [[], []];
    } else if (line.startsWith('event:')) types.push(line.slice(6).replace(/^ /, ''));
    else if (/^data(:|$)/.test(line)) data.push(line.slice(5).replace(/^ /, ''));
  }
  return events;
}

describe('the endpoint event', () => {
  it.each([
    ['as the SDKs write it', 'event: endpoint\ndata: /m?sessionId=1\n\n'],
    ['with CR LF, as Python does', 'event: endpoint\r\ndata: /m?sessionId=1\r\n\r\n'],
    ['with CR alone', 'event: endpoint\rdata: /m?sessionId=1\r\r'],
    ['without blanks', 'event:endpoint\ndata:/m?sessionId=1\n\n'],
    ['with its name behind its data', 'data: /m?sessionId=1\nevent: endpoint\n\n'],
    ['with two names', 'event: message\nevent: endpoint\ndata: /m?sessionId=1\n\n'],
    ['with a name that a lax client would take for it', 'EVENT : Endpoint \ndata: /m?sessionId=1\n\n'],
    ['with fields that nobody knows', 'foo: bar\nevent: endpoint\ndata: /m?sessionId=1\nretrying\n\n'],
  ])('is told anew %s', (_, stream) => {
    expect(told(stream)).toMatch(/^event: endpoint\ndata: <\/m\?sessionId=1>\n\n\n?$/);
  });

  it('keeps what a client reconnects with', () => {
    const stream = 'id: 7\nevent: endpoint\nretry: 500\ndata: /m\n\n';
    expect(told(stream)).toBe('event: endpoint\ndata: </m>\nid: 7\nretry: 500\n\n');
  });

  it('is told anew each time', () => {
    const stream = 'event: endpoint\ndata: /1\n\ndata: {}\n\nevent: endpoint\ndata: /2\n\n';
    expect(told(stream)).toBe('event: endpoint\ndata: </1>\n\ndata: {}\n\nevent: endpoint\ndata: </2>\n\n');
  });

  it('is held until it is whole, and what never ends is no event', () => {
    expect(told('event: endp', 'oint\ndata: /m\n')).toBe('');
    expect(told('event: endpoint\n', 'data: /m', '\n', '\n')).toBe('event: endpoint\ndata: </m>\n\n');
  });

  it('has all of its lines read', () => {
    expect(told('event: endpoint\ndata: /a\ndata: b\n\n')).toBe('event: endpoint\ndata: </a\nb>\n\n');
    expect(told('event: endpoint\n\n')).toBe('event: endpoint\ndata: <>\n\n');
  });

  const long = 'x'.repeat(heldCharacters);
  it.each([
    ['in one line', [`event: endpoint\ndata: /${long}\n\n`]],
    ['in a line that has not ended', [`event: endpoint\ndata: /${long}`]],
    ['with its name behind its data', [`data: /${long}\n`, 'event: endpoint\n\n']],
    ['with its name in two pieces behind its data', [`data: /${long}\n`, 'event: endp', 'oint\n\n']],
    ['with its name behind a line that came in pieces', [`data: /${long}`, 'x\nevent: endp', 'oint\n\n']],
    ['in many lines', ['event: endpoint\n', ...Array(heldCharacters).fill('data: /\n'), '\n']],
    ['with a name that does not end', [`event: endpoint${' '.repeat(heldCharacters)}`, '\ndata: /m\n\n']],
    ['with blanks before its name', [' '.repeat(heldCharacters + 1), 'event: endpoint\ndata: /m\n\n']],
  ])('is refused where it is too long: %s', (_, pieces) => {
    expect(() => told(...pieces)).toThrow(UnfitAnswer);
  });
});

describe('everything else', () => {
  it('passes, to the standard’s reading of it, however it is cut', () => {
    const line = fc.oneof(
      fc.constantFrom('event: endpoint', 'event: message', 'event:', 'data: endpoint', ':', ': ping', 'id: 1', 'data'),
      fc.string({ maxLength: 12 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
      fc.constant(`data: ${'y'.repeat(heldCharacters - 3)}`),
    );
    const stream = fc
      .array(fc.tuple(fc.array(line, { maxLength: 4 }), fc.constantFrom('\n', '\r\n', '\r')))
      .map((events) => events.map(([lines, end]) => [...lines, '', ''].join(end)).join(''));
    const cuts = fc.array(fc.nat({ max: 40 }), { minLength: 1 });
    fc.assert(
      fc.property(stream, cuts, (text, sizes) => {
        const pieces: string[] = [];
        for (let at = 0, turn = 0; at < text.length; turn++) {
          // Mostly small pieces, and the rest at once: a long stream in pieces of 20 is slow and finds nothing more.
          const size = turn < sizes.length ? (sizes[turn] ?? 0) : text.length;
          pieces.push(text.slice(at, at + size));
          at += size;
        }
        const push = endpointEvents((endpoint) => JSON.stringify(endpoint));
        let out: string;
        try {
          out = pieces.map(push).join('');
        } catch (error) {
          expect(error).toBeInstanceOf(UnfitAnswer);
          expect(text).toMatch(/event: endpoint/);
          expect(text.length).toBeGreaterThan(heldCharacters);
          return;
        }
        expect(eventsIn(out)).toEqual(
          eventsIn(text).map(([type, data]) => [type, type === 'endpoint' ? JSON.stringify(data) : data]),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('comments do not wait', () => {
    expect(told(': ping\n')).toBe(': ping\n');
    expect(told('data: 1\n', ': ping\r\n')).toBe(': ping\n');
    expect(told('data: 1\n', ': ping\n', '\n')).toBe(': ping\ndata: 1\n\n');
  });

  it('a message goes out as soon as it is whole', () => {
    expect(told('event: message\ndata: {"a":', '1}\n\n')).toBe('event: message\ndata: {"a":1}\n\n');
  });

  it('a long message goes out while it comes', () => {
    const push = endpointEvents(() => 'never');
    const piece = 'z'.repeat(64 * 1024);
    expect(push('event: message\ndata: ')).toBe('');
    expect(push(piece)).toBe(`event: message\ndata: ${piece}`);
    for (let i = 0; i < 100; i++) expect(push(piece)).toBe(piece);
    expect(push('\n')).toBe('\n');
    expect(push('\n')).toBe('\n');
    expect(push('event: endpoint\ndata: /m\n\n')).toBe('event: endpoint\ndata: never\n\n');
  });

  it('a message of many lines goes out while it comes', () => {
    const push = endpointEvents(() => 'never');
    const lines = `${`data: ${'z'.repeat(94)}\n`.repeat(1000)}`;
    const first = push(lines);
    expect(first).toBe(lines);
    expect(push(lines)).toBe(lines);
    expect(push('\n')).toBe('\n');
  });
});
