/** Events to requests and heads to preludes, case by case: both payload formats, and what clients and platforms do to them. */
import { describe, expect, it } from 'vitest';
import { type EventRequest, requestOf } from '../src/lambda/event.ts';
import { functionHost, functionUrlEvent } from './lambda-function.ts';

const publicHost = 'mcp.example.com';
const of = (event: unknown) => requestOf(event, publicHost) as EventRequest;
const headersOf = ({ rawHeaders }: EventRequest) =>
  rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]]] : []));

const restEvent = (changes: object = {}) => ({
  httpMethod: 'GET',
  path: '/mcp',
  headers: { Host: publicHost },
  requestContext: { path: '/prod/mcp', domainName: publicHost, identity: { sourceIp: '203.0.113.7' } },
  ...changes,
});

describe('the request', () => {
  it.each([
    ['as it came', '/a/%20b', 'x=%2F&y', '/a/%20b?x=%2F&y'],
    ['without a query', '/a', '', '/a'],
    ['a path that was decoded', '/a b/ü?#', '', '/a%20b/%C3%BC%3F%23'],
    ['a query that was decoded', '/a', 'x=ü "z"#', '/a?x=%C3%BC%20%22z%22%23'],
    ['half a character', '/\ud800', '', '/%EF%BF%BD'],
    ['what would end the request line', '/a HTTP/1.1\r\nx: y', 'b\r\n', '/a%20HTTP/1.1%0D%0Ax:%20y?b%0D%0A'],
  ])('target, %s', (_, path, query, target) => {
    expect(of(functionUrlEvent({ path, query })).target).toBe(target);
  });

  it('cookies stand in one header, and never twice', () => {
    const both = of(functionUrlEvent({ path: '/', cookies: ['a=1', 'b=2'], headers: { cookie: 'a=1; b=2' } }));
    expect(headersOf(both).filter(([name]) => name === 'cookie')).toEqual([['cookie', 'a=1; b=2']]);
    const one = of(functionUrlEvent({ path: '/', headers: { cookie: 'a=1' } }));
    expect(headersOf(one)).toContainEqual(['cookie', 'a=1']);
  });

  it('the length is counted, and what belongs to another connection is dropped', () => {
    const headers = {
      'content-length': '999',
      'transfer-encoding': 'chunked',
      connection: 'upgrade',
      upgrade: 'x',
      te: 'x',
    };
    const request = of(functionUrlEvent({ method: 'POST', path: '/', headers, body: Buffer.from([0, 255, 128]) }));
    expect([...request.body]).toEqual([0, 255, 128]);
    expect(headersOf(request).map(([name]) => name)).toEqual([
      'host',
      'x-forwarded-proto',
      'x-forwarded-for',
      'content-length',
    ]);
    expect(headersOf(request)).toContainEqual(['content-length', '3']);
  });

  it('text that is not base64 is UTF-8', () => {
    expect(
      of({ ...functionUrlEvent({ method: 'POST', path: '/' }), body: 'ß🦊', isBase64Encoded: false }).body,
    ).toEqual(Buffer.from('ß🦊'));
  });

  it('the platform’s own host name is ours; any other stays what it is', () => {
    const hostOf = (host: string) => headersOf(of(functionUrlEvent({ path: '/', host })))[0]?.[1];
    expect([functionHost, functionHost.toUpperCase(), 'evil.example'].map(hostOf)).toEqual([
      publicHost,
      publicHost,
      'evil.example',
    ]);
  });

  it('of a REST API: the path that was asked for, every value of a header, the query written anew', () => {
    const request = of(
      restEvent({
        headers: { Host: publicHost, Accept: 'last' },
        multiValueHeaders: { Host: [publicHost], Accept: ['first', 'last'] },
        multiValueQueryStringParameters: { 'a&b': ['1=', ''], c: ['+'] },
      }),
    );
    expect(request.target).toBe('/prod/mcp?a%26b=1%3D&a%26b=&c=%2B');
    expect(request.remoteAddress).toBe('203.0.113.7');
    expect(headersOf(request)).toEqual([
      ['host', publicHost],
      ['accept', 'first'],
      ['accept', 'last'],
    ]);
  });

  it.each([
    ['an array', []],
    ['an SQS event', { Records: [] }],
    ['a load balancer', restEvent({ requestContext: { elb: { targetGroupArn: 'arn' } } })],
    ['payload 2.0 without HTTP', { version: '2.0', requestContext: {} }],
  ])('%s is none', (_, event) => {
    expect(() => requestOf(event, publicHost)).toThrow('it got another event');
  });

  it.each([
    ['headers', { headers: 'none' }, true],
    ['cookies', { cookies: 'a=1' }, true],
    ['a header', { headers: { a: { b: 1 } } }, false],
    ['the path', { rawPath: 7 }, false],
    ['the method', { requestContext: { http: { method: ['GET'] } } }, false],
    ['the query', { rawQueryString: { a: 1 } }, true],
    ['the body', { body: { a: 1 } }, true],
  ])('%s of another type is no fault of ours', (_, changes, readable) => {
    expect('unreadable' in of({ ...functionUrlEvent({ path: '/' }), ...changes })).toBe(!readable);
  });
});

describe('the prelude', () => {
  const head = [
    'Set-Cookie',
    'a=1; Secure',
    'Vary',
    'Accept',
    'vary',
    'Origin',
    'set-cookie',
    'b=2',
    'Connection',
    'close',
  ];

  it('of a Function URL: several cookies in their list, other values in one', () => {
    expect(of(functionUrlEvent({ path: '/' })).prelude(200, head)).toEqual({
      statusCode: 200,
      headers: { vary: 'Accept, Origin' },
      cookies: ['a=1; Secure', 'b=2'],
    });
  });

  it('of a REST API: whatever stands several times in a list of its own', () => {
    expect(of(restEvent()).prelude(302, [...head, 'location', '/x', '__proto__', 'y'])).toEqual({
      statusCode: 302,
      headers: Object.fromEntries([
        ['location', '/x'],
        ['__proto__', 'y'],
      ]),
      multiValueHeaders: { 'set-cookie': ['a=1; Secure', 'b=2'], vary: ['Accept', 'Origin'] },
    });
  });
});
