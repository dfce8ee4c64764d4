/** Faults found in src/oauth/redirect-uri.ts; each test passes once its fault is mended, and then moves to the tables. */
import { describe, expect, it } from 'vitest';
import { redirectUriFault, withParameters } from '../../src/oauth/redirect-uri.ts';

describe('found', () => {
  // Only https is given to URL.canParse: any other accepted URI may be one no client and no browser can parse.
  it.each(['com.example.app://[:::]/cb', 'cursor://[1:2:3:4:5:6:7:8:9]/cb'])(
    '%s, which no URL parser reads, is not registered',
    (uri) => {
      expect(URL.canParse(uri)).toBe(false);
      expect(redirectUriFault(uri)).toBeDefined();
    },
  );

  // Dot segments are looked for only behind an authority.
  it.each(['com.example.app:/a/../cb', 'com.example.app:../cb', 'com.example.app:/%2e%2e/cb'])(
    'dot segments without an authority: %s',
    (uri) => {
      expect(redirectUriFault(uri)).toBeDefined();
    },
  );

  // The person is shown "2130706433" and the browser goes to 127.0.0.1: a host that is not what is written.
  it.each(['https://2130706433/cb', 'https://0x7f.1/cb', 'https://0177.0.0.1/cb', 'https://127.1/cb'])(
    'a host that browsers read as another: %s',
    (uri) => {
      expect(redirectUriFault(uri)).toBeDefined();
    },
  );

  // authorization.md: "allow-listed private-use schemes, `javascript:` and friends never" – not even when listed.
  it.each(['javascript:alert(1)', 'data:text/html,a', 'file:///etc/passwd', 'blob:https', 'vbscript:a', 'about:blank'])(
    '%s is refused although its scheme was listed',
    (uri) => {
      expect(redirectUriFault(uri, ['javascript', 'data', 'file', 'blob', 'vbscript', 'about'])).toBeDefined();
    },
  );

  // `endsWith('?')` is taken for an empty query, also where the query is "?": the parameter is then named "?code".
  it('a query that ends with a question mark keeps the answer readable', () => {
    const location = withParameters('https://app.example/cb??', { code: 'c', state: 's' });
    expect(new URL(location).searchParams.get('code')).toBe('c');
  });
});
