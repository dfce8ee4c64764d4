/** The pure parts of the doctor: how a challenge is read, what is typed as a URL, which front doors show, what is fit to show. */
import { describe, expect, it } from 'vitest';
import { challengesOf } from '../../src/doctor/challenge.ts';
import type { Exchange, Facts } from '../../src/doctor/facts.ts';
import { frontDoorsOf } from '../../src/doctor/front-doors.ts';
import { jsonRpcAnswerIn } from '../../src/doctor/probe/json.ts';
import { safeJson, shown } from '../../src/doctor/text.ts';
import { readTypedUrl } from '../../src/doctor/typed-url.ts';

describe('a challenge', () => {
  const read = (...values: readonly string[]) => {
    const { challenges, unreadable } = challengesOf({ headers: values.map((value) => ['www-authenticate', value]) });
    return [challenges.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]), unreadable];
  };

  it.each([
    ['Bearer', [['bearer', {}]]],
    ['Bearer realm="x"', [['bearer', { realm: 'x' }]]],
    ['bearer SCOPE = "a b" , error=invalid_token', [['bearer', { scope: 'a b', error: 'invalid_token' }]]],
    ['Bearer a="x\\"y, z=1"', [['bearer', { a: 'x"y, z=1' }]]],
    [
      'Basic realm="x", Bearer scope="a", resource_metadata="https://x/y"',
      [
        ['basic', { realm: 'x' }],
        ['bearer', { scope: 'a', resource_metadata: 'https://x/y' }],
      ],
    ],
    [
      'Negotiate oRQ/+=, Bearer',
      [
        ['negotiate', {}],
        ['bearer', {}],
      ],
    ],
    [
      'Negotiate, Basic',
      [
        ['negotiate', {}],
        ['basic', {}],
      ],
    ],
    [', Bearer a=1,, b=2', [['bearer', { a: '1', b: '2' }]]],
    ['Bearer a="first", a="second"', [['bearer', { a: 'first' }]]],
  ])('%s', (value, expected) => {
    expect(read(value)).toEqual([expected, undefined]);
  });

  it.each([
    ['Bearer resource_metadata=https://x/y', 'resource_metadata=https://x/y'],
    ['Bearer a="open', 'a="open'],
    ['a=b', 'a=b'],
    ['Bearer a="x" b="y"', 'a="x" b="y"'],
    ['"Bearer"', '"Bearer"'],
  ])('%s is not one from %s on', (value, rest) => {
    expect(read(value)[1]).toBe(rest);
  });

  it('in two headers is two', () => {
    expect(read('Basic', 'Bearer a=1')[0]).toEqual([
      ['basic', {}],
      ['bearer', { a: '1' }],
    ]);
  });
});

describe('a typed URL', () => {
  const plain = { schemeAdded: false, userinfo: false, fragment: false };
  it.each([
    ['https://Example.com/mcp', { ...plain, url: 'https://Example.com/mcp' }],
    ['https://example.com', { ...plain, url: 'https://example.com' }],
    [' https://example.com/a/../mcp ', { ...plain, url: 'https://example.com/a/../mcp' }],
    ['example.com/mcp', { ...plain, url: 'https://example.com/mcp', schemeAdded: true }],
    ['example.com:8443/mcp', { ...plain, url: 'https://example.com:8443/mcp', schemeAdded: true }],
    ['localhost:8080/mcp', { ...plain, url: 'http://localhost:8080/mcp', schemeAdded: true }],
    ['[::1]:8080/mcp', { ...plain, url: 'http://[::1]:8080/mcp', schemeAdded: true }],
    [
      'https://ada:secret@example.com/mcp?a=b@c#x',
      { url: 'https://example.com/mcp?a=b@c', schemeAdded: false, userinfo: true, fragment: true },
    ],
  ])('%s', (typed, expected) => {
    expect(readTypedUrl(typed)).toEqual(expected);
  });

  it.each(['', 'ftp://example.com', 'http://', 'https://[', 'javascript://x', `https://x/${'y'.repeat(3000)}`])(
    '%s is none',
    (typed) => {
      expect(typeof readTypedUrl(typed)).toBe('string');
    },
  );
});

describe('a front door', () => {
  const behind = (headers: Readonly<Record<string, string>>, url = 'https://mcp.example.com/mcp') => {
    const exchange: Exchange = {
      method: 'POST',
      url,
      sent: {},
      ms: 1,
      answer: { status: 401, headers: Object.entries(headers), body: '', bytes: 0, end: 'whole', headMs: 1 },
    };
    const endpoint = { initialize: { url, hops: [exchange] }, url, again: exchange, discover: exchange, get: exchange };
    const more = { wrongToken: exchange, tokenInQuery: exchange, preflight: exchange, fromPage: exchange };
    return frontDoorsOf({ endpoint: { ...endpoint, ...more } } as unknown as Facts);
  };

  it.each([
    [
      { 'x-amz-cf-id': 'a', server: 'CloudFront', 'x-amzn-requestid': 'b', 'apigw-requestid': 'c' },
      ['cloudfront', 'api-gateway'],
    ],
    [{ 'x-amz-cf-id': 'a', 'x-amzn-remapped-www-authenticate': 'Bearer' }, ['cloudfront', 'function-url']],
    [{ 'apigw-requestid': 'a', 'x-amzn-remapped-www-authenticate': 'Bearer' }, ['api-gateway']],
    [{ server: 'awselb/2.0' }, ['alb']],
    [{ server: 'cloudflare', 'cf-ray': 'a' }, ['cloudflare']],
    [{ server: 'nginx/1.25.3' }, ['nginx']],
    [{ via: '1.1 Caddy' }, ['caddy']],
    [{ via: '1.1 google' }, ['google']],
    [{ server: 'uvicorn' }, []],
  ])('shows in %o', (headers, doors) => {
    expect(behind(headers)).toEqual(doors);
  });

  it('shows in its name', () => {
    expect(behind({}, 'https://abc.lambda-url.eu-central-1.on.aws/mcp')).toEqual(['function-url']);
    expect(behind({}, 'https://abc.execute-api.eu-central-1.amazonaws.com/prod/mcp')).toEqual(['api-gateway']);
  });
});

describe('what is shown', () => {
  it('is one line without what a terminal acts on', () => {
    expect(shown('a\u001b[31m\nb\u202ec\u0000')).toBe('a\\u{1b}[31m b\\u{202e}c\\u{0}');
    expect(shown('x'.repeat(400))).toHaveLength(301);
    expect(shown('grün 日本 – “ok”')).toBe('grün 日本 – “ok”');
  });

  it('is the same value in JSON', () => {
    const value = { a: '\u001b\u009b\u202e\u2028 ü 😀 \u{e0001}' };
    const text = safeJson(value);
    expect(text).not.toMatch(/[\u007f-\u009f\u202e\u2028]/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

it('the answer is found among server-sent events', () => {
  const answer = { jsonrpc: '2.0', id: 1, result: {} };
  const events = `: hello\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"x"}\n\ndata: ${JSON.stringify(answer)}\n\n`;
  expect(jsonRpcAnswerIn(events)).toEqual(answer);
  expect(jsonRpcAnswerIn(events.slice(0, -1))).toBeUndefined();
  expect(jsonRpcAnswerIn(events.replaceAll('\n', '\r\n'))).toEqual(answer);
});
