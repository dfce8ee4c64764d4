/** Redirect URIs as properties: our reading and the browser's never part ways (RFC 9700 §4.1.3). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redirectDisplay, redirectUriFault, redirectUriMatches, withParameters } from '../../src/oauth/redirect-uri.ts';

/** Pieces that have fooled somebody's parser, put together in any way. */
const pieces = fc.constantFrom(
  ...['https:', 'http:', 'javascript:', 'cursor:', 'com.example:', 'HTTPS:', '//', '/', '\\', '///', ':', '@', '@@'],
  ...['app.example', 'evil.example', 'localhost', '127.0.0.1', '[::1]', '[::', ']', '0x7f.1', '2130706433', '.'],
  ...[':80', ':443', ':99999', ':0', ':', '/cb', '/..', '/..;', '/%2e%2e', '/.', '%2f', '%40', '%5c', '%00', '%', ';'],
  ...['?', '?a=b', '&', '#', '#x', ' ', '\t', '\n', '\r\n', '\u0000', '\u3002', '\uff0f', '\u2100', 'é', '*', '<', '"'],
);
const assembled = fc.array(pieces, { maxLength: 9 }).map((parts) => parts.join(''));
const likely = fc
  .tuple(
    fc.constantFrom('https://', 'http://', 'cursor://', 'com.example.app://', 'com.example.app:'),
    fc.constantFrom('app.example', 'localhost', '127.0.0.1', '[::1]', '[2001:db8::1]', 'LOCALHOST', 'a.b-c.example'),
    fc.constantFrom('', ':1', ':8080', ':65535', ':080', ':0'),
    fc.array(pieces, { maxLength: 4 }).map((parts) => parts.join('')),
  )
  .map((parts) => parts.join(''));
const anything = fc.oneof(
  assembled,
  likely,
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.string(),
);

const runs = { numRuns: 20_000 };
/** Without the schemes of one's own: those have no host a browser would go to. */
const web = (uri: string) => /^https?:/.test(uri);

describe('redirect URIs', () => {
  it('what is accepted parses, whatever its scheme', () => {
    fc.assert(
      fc.property(anything, (uri) => {
        if (redirectUriFault(uri) === undefined) expect(URL.canParse(uri)).toBe(true);
      }),
      runs,
    );
  });

  it('what is accepted for the web parses, with the host and path we read', () => {
    fc.assert(
      fc.property(anything, (uri) => {
        if (redirectUriFault(uri) !== undefined || !web(uri)) return;
        const url = new URL(uri);
        expect(url.username + url.password + url.hash).toBe('');
        // Shown to the person, and therefore the truth.
        const shown = new URL(`${url.protocol}//${redirectDisplay(uri)}`);
        expect(shown.host).toBe(url.host);
        // No segment disappears on the way to the server.
        expect(url.pathname).toBe(/^[a-z]+:\/\/[^/?]*([^?]*)/.exec(uri)?.[1] || '/');
      }),
      runs,
    );
  });

  it('what matches goes to the very host that was registered', () => {
    fc.assert(
      fc.property(anything, anything, (presented, registered) => {
        if (!redirectUriMatches(presented, registered) || !web(presented)) return;
        // Of two loopback ports one was registered and the other is free: the host name alone counts.
        expect(new URL(presented).hostname).toBe(new URL(registered).hostname);
        expect(new URL(presented).protocol).toBe(new URL(registered).protocol);
      }),
      runs,
    );
  });

  it('any other port of a loopback registration matches, and of any other registration none', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const place = fc.constantFrom(
      'http://localhost',
      'http://127.0.0.1',
      'http://[::1]',
      'https://app.example',
      'https://localhost',
    );
    fc.assert(
      fc.property(place, port, port, fc.constantFrom('', '/', '/cb', '/cb?a=b'), (start, one, other, rest) => {
        const matches = redirectUriMatches(`${start}:${one}${rest}`, `${start}:${other}${rest}`);
        expect(matches).toBe(one === other || start.startsWith('http:'));
      }),
    );
  });

  it('one character more, less or other never matches, but in the port', () => {
    const change = fc.tuple(
      fc.nat(),
      fc.constantFrom(...'aA0./@:?#%\\ \n'),
      fc.constantFrom('insert', 'replace', 'remove'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('https://app.example/cb', 'http://localhost:80/cb'),
        change,
        (registered, [n, c, how]) => {
          const at = n % (registered.length + 1);
          const presented =
            registered.slice(0, at) + (how === 'remove' ? '' : c) + registered.slice(how === 'insert' ? at : at + 1);
          if (presented === registered) return;
          const portOnly = /^http:\/\/localhost(:\d{1,5})?\/cb$/.test(presented);
          if (!portOnly) expect(redirectUriMatches(presented, registered)).toBe(false);
        },
      ),
      runs,
    );
  });

  it('an appended answer changes neither host nor path, and is read back whole', () => {
    const answer = fc.record({ code: fc.string({ unit: 'binary' }), state: fc.string({ unit: 'binary' }) });
    fc.assert(
      fc.property(anything, answer, (uri, parameters) => {
        if (redirectUriFault(uri) !== undefined || !web(uri)) return;
        const before = new URL(uri);
        const after = new URL(withParameters(uri, parameters));
        expect(after.origin).toBe(before.origin);
        expect(after.pathname).toBe(before.pathname);
        expect(after.hash).toBe('');
        expect(after.searchParams.getAll('code').at(-1)).toBe(parameters.code);
        expect(after.searchParams.getAll('state').at(-1)).toBe(parameters.state);
      }),
      runs,
    );
  });
});
