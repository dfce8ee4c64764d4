/** Redirect URIs as tables: which may be registered, and which presented one is a registered one (SEC-03). */
import { describe, expect, it } from 'vitest';
import {
  isLoopbackRedirect,
  maxRedirectUriLength,
  redirectDisplay,
  redirectUriFault,
  redirectUriMatches,
  withParameters,
} from '../../src/oauth/redirect-uri.ts';

const form = /^is not an absolute URI/;
const scheme = /^uses the scheme/;
const plain = /^must use https/;
const host = /^has no valid host/;

describe('what may be registered', () => {
  it.each([
    'https://claude.ai/api/mcp/auth_callback',
    'https://chatgpt.com/connector_platform_oauth_redirect',
    'https://vscode.dev/redirect',
    'https://grok.com/connectors-oauth-exchange-code/',
    'https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect',
    'https://app.example',
    'https://app.example/',
    'https://app.example:8443/cb',
    'https://app.example/cb?tenant=1',
    'https://app.example/cb?next=a%2Fb',
    'https://app.example/a..b/.well-known/..c/d...',
    'https://APP.example/CB',
    'https://xn--bcher-kva.example/cb',
    'https://[2001:db8::1]/cb',
    'https://192.0.2.1/cb',
    'http://127.0.0.1/callback',
    'http://127.0.0.1:33418/',
    'http://localhost:3335/oauth/callback',
    'http://localhost',
    'http://LOCALHOST/callback',
    'http://[::1]:6276/oauth/callback',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'vscode://publisher.extension/cb',
    'vscode-insiders://publisher.extension/cb',
    'com.example.app:/oauth',
    'com.example.app://oauth/cb',
    'com.example.app:cb',
  ])('%s', (uri) => {
    expect(redirectUriFault(uri)).toBeUndefined();
  });

  it.each([
    // userinfo and several @
    ['https://user@app.example/cb', form],
    ['https://user:password@app.example/cb', form],
    ['https://app.example@evil.example/cb', form],
    ['https://app.example@@evil.example/cb', form],
    ['https://app.example:443@evil.example/cb', form],
    ['https://@evil.example/cb', form],
    ['http://127.0.0.1@evil.example/cb', form],
    ['http://127.0.0.1:80@evil.example/cb', form],
    ['http://localhost:x@evil.example/cb', form],
    // backslashes, which browsers read as slashes
    ['https://app.example\\@evil.example/cb', form],
    ['https://app.example\\.evil.example/cb', form],
    ['https:\\\\evil.example/cb', form],
    ['http://localhost\\.evil.example/cb', form],
    ['https://app.example/cb\\..\\x', form],
    // encoded and Unicode hosts
    ['https://app%2eexample/cb', form],
    ['https://evil.example%2f.app.example/cb', form],
    ['https://%65vil.example/cb', form],
    ['https://b\u00fccher.example/cb', form],
    ['https://app\u3002example/cb', form],
    ['https://app.example\uff0fcb', form],
    ['https://\u2100pp.example/cb', form],
    ['http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/cb', form],
    ['http://127.0.0.1\u3002evil.example/', form],
    // dot segments
    ['https://app.example/a/../cb', form],
    ['https://app.example/..', form],
    ['https://app.example/./cb', form],
    ['https://app.example/.', form],
    ['https://app.example/a/..;/cb', form],
    ['https://app.example/a/..;x=1/cb', form],
    ['https://app.example/.;/cb', form],
    ['https://app.example/%2e%2e/cb', form],
    ['https://app.example/%2E%2E/cb', form],
    ['https://app.example/.%2e/cb', form],
    ['https://app.example/%2e./cb', form],
    ['https://app.example/%2e/cb', form],
    ['https://app.example/cb/..?a=b', form],
    ['cursor://anysphere.cursor-mcp/oauth/../cb', form],
    ['com.example.app:/a/../cb', form],
    ['com.example.app:../cb', form],
    ['com.example.app:/%2e%2e/cb', form],
    // fragments
    ['https://app.example/cb#', form],
    ['https://app.example/cb#part', form],
    ['http://localhost:1#@evil.example', form],
    // control characters, spaces and what is no URI character
    ['https://app.example/cb\n', form],
    ['https://app.example/cb\r\nlocation: https://evil.example', form],
    ['https://app.example/c\tb', form],
    ['ht\ntps://app.example/cb', form],
    [' https://app.example/cb', form],
    ['https://app.example/cb ', form],
    ['\u0000https://app.example/cb', form],
    ['https://app.example/cb\u0000', form],
    ['https://app.example/cb\u007f', form],
    ['https://app.example/cb\u2028', form],
    ['https://app.example/<script>', form],
    ['https://app.example/"onload=', form],
    ['https://app.example/{a}|^`', form],
    // IPv6 and address spellings
    ['https://[::1/cb', form],
    ['https://::1/cb', form],
    ['https://[::1%25eth0]/cb', form],
    ['https://[::ffff:127.0.0.1]/cb', form],
    ['https://[:::]/cb', host],
    ['https://[1:2:3:4:5:6:7:8:9]/cb', host],
    ['https://[]/cb', form],
    ['https://256.256.256.256/cb', host],
    ['http://[::]/cb', plain],
    ['http://[0:0:0:0:0:0:0:1]/cb', plain],
    ['http://0.0.0.0/cb', plain],
    ['http://127.1/cb', plain],
    ['http://2130706433/cb', plain],
    ['http://0x7f000001/cb', plain],
    ['http://0177.0.0.1/cb', plain],
    ['http://127.0.0.2/cb', plain],
    // hosts that browsers read as others: the person would be shown a number, and the answer go to 127.0.0.1
    ['https://2130706433/cb', host],
    ['https://0x7f.1/cb', host],
    ['https://0177.0.0.1/cb', host],
    ['https://127.1/cb', host],
    // what no URL parser reads, under a scheme of one's own
    ['com.example.app://[:::]/cb', form],
    ['cursor://[1:2:3:4:5:6:7:8:9]/cb', form],
    ['com.example.app://a:99999/cb', form],
    // hosts that only begin or end well
    ['http://localhost.evil.example/cb', plain],
    ['http://127.0.0.1.evil.example/cb', plain],
    ['http://evil-localhost/cb', plain],
    ['http://localhost./cb', plain],
    ['http://127.0.0.1./cb', plain],
    ['http://app.example/cb', plain],
    // no host
    ['https:///cb', host],
    ['https://', host],
    ['https:', host],
    ['https:cb', host],
    ['https:/evil.example/cb', host],
    ['https://:443/cb', host],
    ['http:evil.example', plain],
    ['https:////evil.example/cb', host],
    // ports
    ['https://app.example:/cb', form],
    ['https://app.example:65536/cb', form],
    ['https://app.example:99999/cb', form],
    ['https://app.example:123456/cb', form],
    ['https://app.example:-1/cb', form],
    ['https://app.example:8o/cb', form],
    ['http://localhost:80:90/cb', form],
    // schemes
    ['javascript:alert(1)', scheme],
    ['javascript://app.example/%0aalert(1)', scheme],
    ['JavaScript:alert(1)', form],
    ['java\nscript:alert(1)', form],
    ['data:text/html,hello', scheme],
    ['data:text/html;base64,PHNjcmlwdD4=', scheme],
    ['vbscript:msgbox', scheme],
    ['file:///etc/passwd', scheme],
    ['blob:https://app.example/1', scheme],
    ['about:blank', scheme],
    ['ws://app.example/cb', scheme],
    ['ftp://app.example/cb', scheme],
    ['mailto:a', scheme],
    ['intent://scan/', scheme],
    ['view-source:https', scheme],
    ['myapp://callback', scheme],
    ['urn:ietf:wg:oauth:2.0:oob', scheme],
    ['HTTPS://app.example/cb', form],
    // not absolute
    ['', form],
    ['/cb', form],
    ['//evil.example/cb', form],
    ['app.example/cb', form],
    ['?code=1', form],
    [':', form],
    ['*', form],
    ['https://*.example/cb', form],
    [`https://app.example/${'a'.repeat(maxRedirectUriLength)}`, form],
  ])('not %j', (uri, fault) => {
    expect(redirectUriFault(uri)).toMatch(fault);
  });

  it('the list of schemes is the caller’s to choose', () => {
    expect(redirectUriFault('cursor://a/cb', [])).toMatch(scheme);
    expect(redirectUriFault('myapp://cb', ['myapp'])).toBeUndefined();
    expect(redirectUriFault('com.example.app:/cb', [])).toBeUndefined();
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,a',
    'file:///etc/passwd',
    'blob:https',
    'vbscript:a',
    'about:blank',
    'ws://a.example',
    'filesystem:a',
  ])('%s is refused although its scheme was listed', (uri) => {
    expect(redirectUriFault(uri, [uri.slice(0, uri.indexOf(':'))])).toMatch(scheme);
  });

  it('the longest has 1,024 characters', () => {
    const start = 'https://app.example/';
    expect(redirectUriFault(start + 'a'.repeat(maxRedirectUriLength - start.length))).toBeUndefined();
    expect(redirectUriFault(start + 'a'.repeat(maxRedirectUriLength - start.length + 1))).toMatch(form);
  });
});

describe('which presented URI is a registered one', () => {
  it.each([
    ['https://app.example/cb', 'https://app.example/cb'],
    ['http://127.0.0.1:50000/cb', 'http://127.0.0.1/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:50000/cb'],
    ['http://127.0.0.1:1/cb', 'http://127.0.0.1:65535/cb'],
    ['http://[::1]:50000/cb', 'http://[::1]/cb'],
    ['http://localhost:50000/cb', 'http://localhost/cb'],
    ['http://localhost:50000/cb?a=b', 'http://localhost:1/cb?a=b'],
    ['http://localhost:50000', 'http://localhost'],
    ['com.example.app:/cb', 'com.example.app:/cb'],
  ])('%s is %s', (presented, registered) => {
    expect(redirectUriMatches(presented, registered)).toBe(true);
  });

  it.each([
    // loopback hosts are never interchangeable
    ['http://localhost/cb', 'http://127.0.0.1/cb'],
    ['http://127.0.0.1/cb', 'http://localhost/cb'],
    ['http://[::1]/cb', 'http://127.0.0.1/cb'],
    ['http://[::1]/cb', 'http://localhost/cb'],
    ['http://LOCALHOST:1/cb', 'http://localhost/cb'],
    // everything but the port counts
    ['http://localhost:1/cb/', 'http://localhost/cb'],
    ['http://localhost:1/CB', 'http://localhost/cb'],
    ['http://localhost:1/', 'http://localhost'],
    ['http://localhost:1/cb?a=b', 'http://localhost/cb'],
    ['http://localhost:1/cb?', 'http://localhost/cb'],
    ['http://localhost:1/%63b', 'http://localhost/cb'],
    ['https://localhost:1/cb', 'http://localhost/cb'],
    ['https://localhost:1/cb', 'https://localhost/cb'],
    // no freedom elsewhere
    ['https://app.example:8443/cb', 'https://app.example/cb'],
    ['https://app.example:443/cb', 'https://app.example/cb'],
    ['https://APP.example/cb', 'https://app.example/cb'],
    ['https://app.example/cb/', 'https://app.example/cb'],
    ['https://app.example/cb/../x', 'https://app.example/cb'],
    ['https://app.example/cb?x', 'https://app.example/cb'],
    ['https://app.example/cb#x', 'https://app.example/cb'],
    ['https://sub.app.example/cb', 'https://app.example/cb'],
    ['https://app.example.evil.example/cb', 'https://app.example/cb'],
    ['com.example.app://cb:2', 'com.example.app://cb:1'],
    // hostile forms against a loopback registration
    ['http://localhost:1@evil.example/cb', 'http://localhost/cb'],
    ['http://localhost:1/../cb', 'http://localhost/cb'],
    ['http://localhost:99999/cb', 'http://localhost/cb'],
    ['http://localhost:/cb', 'http://localhost/cb'],
    ['http://localhost:1/cb\n', 'http://localhost/cb'],
    ['http://localhost:1/cb#', 'http://localhost/cb'],
    ['http://localhost.evil.example:1/cb', 'http://localhost/cb'],
    ['', 'http://localhost/cb'],
  ])('%j is not %s', (presented, registered) => {
    expect(redirectUriMatches(presented, registered)).toBe(false);
  });

  // Whatever a database from before a rule holds, a form that is refused today is not sent to.
  it.each(['https://app.example/a/../cb', 'https://u@app.example/cb', 'https://app.example/cb#f', 'not a uri', ''])(
    '%j does not even match itself',
    (uri) => {
      expect(redirectUriMatches(uri, uri)).toBe(false);
    },
  );
});

describe('what is made of one', () => {
  it.each([
    ['http://127.0.0.1:1/cb', true],
    ['http://localhost/cb', true],
    ['http://[::1]/cb', true],
    ['https://localhost/cb', false],
    ['http://localhost.evil.example/cb', false],
    ['com.example.app:/localhost', false],
    ['not a uri', false],
  ])('%s is loopback: %s', (uri, loopback) => {
    expect(isLoopbackRedirect(uri)).toBe(loopback);
  });

  it.each([
    ['https://app.example/cb', 'app.example'],
    ['https://app.example:8443/cb?host=other.example', 'app.example:8443'],
    ['http://[::1]:80/cb', '[::1]:80'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp'],
    ['com.example.app:/oauth', 'com.example.app:'],
    ['not a uri', ''],
  ])('%s is shown as %s', (uri, shown) => {
    expect(redirectDisplay(uri)).toBe(shown);
  });

  it.each([
    ['https://app.example/cb', 'https://app.example/cb?code=c&state=s'],
    ['https://app.example', 'https://app.example?code=c&state=s'],
    ['https://app.example/cb?', 'https://app.example/cb?code=c&state=s'],
    ['https://app.example/cb?a=b', 'https://app.example/cb?a=b&code=c&state=s'],
    ['https://app.example/cb?a=b&', 'https://app.example/cb?a=b&code=c&state=s'],
    ['com.example.app:/cb', 'com.example.app:/cb?code=c&state=s'],
    ['https://app.example/cb??', 'https://app.example/cb??&code=c&state=s'],
    ['https://app.example/cb?a=?', 'https://app.example/cb?a=?&code=c&state=s'],
  ])('%s with a code', (uri, location) => {
    expect(withParameters(uri, { code: 'c', state: 's', error: undefined })).toBe(location);
  });

  it('encodes what it adds', () => {
    const hostile = 'a&code=x#\r\nlocation: é"';
    const location = withParameters('https://app.example/cb', { state: hostile });
    expect(location).toMatch(/^[\x21-\x7e]+$/);
    const { searchParams, hash } = new URL(location);
    expect([...searchParams]).toEqual([['state', hostile]]);
    expect(hash).toBe('');
  });
});
