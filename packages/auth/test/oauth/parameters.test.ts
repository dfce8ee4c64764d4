/** Request parameters, read strictly: RFC 6749 §3.1, §3.2 and appendix B. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import { maxBodyBytes } from '../../src/oauth/http.ts';
import { formParameters, jsonBody, queryParameters } from '../../src/oauth/parameters.ts';
import { request } from '../harness.ts';

const urlencoded = 'application/x-www-form-urlencoded';
const query = (text: string) => queryParameters({ ...request('/'), query: text });
const posted = (body: string | Uint8Array, headers: Record<string, string> = { 'content-type': urlencoded }) =>
  request('/', { method: 'POST', headers, body });

/** Status, code and private reason of what is thrown. */
function refused(read: () => unknown): [number, string, string] | 'accepted' {
  try {
    read();
  } catch (error) {
    if (error instanceof OAuthError) return [error.status, error.code, error.reason];
    throw error;
  }
  return 'accepted';
}

describe('queryParameters', () => {
  it.each([
    ['nothing', '', {}],
    ['two', 'a=1&b=2', { a: '1', b: '2' }],
    ['a plus is a space', 'a=x+y', { a: 'x y' }],
    ['a percent-encoded plus is a plus', 'a=x%2By', { a: 'x+y' }],
    ['UTF-8', 'a=%E2%82%AC', { a: '€' }],
    ['an equals sign inside a value', 'a=b=c', { a: 'b=c' }],
    ['an encoded name', '%61=1', { a: '1' }],
    ['an encoded ampersand', 'a=1%26b=2', { a: '1&b=2' }],
    ['an empty value is absent', 'a=&b=2', { b: '2' }],
    ['a name alone is absent', 'a&b=2', { b: '2' }],
    ['empty pairs', '&&a=1&', { a: '1' }],
    ['empty beside set is no repetition', 'a=&a=1', { a: '1' }],
    ['names of object properties', '__proto__=1&constructor=2', { ['__proto__']: '1', constructor: '2' }],
    ['the same resource twice', 'resource=https%3A%2F%2Fa&resource=https://a', { resource: 'https://a' }],
    ['a value of 4,096 characters', `a=${'x'.repeat(4096)}`, { a: 'x'.repeat(4096) }],
    ['64 parameters', Array.from({ length: 64 }, (_, i) => `p${i}=`).join('&'), {}],
  ])('%s', (_, text, parameters) => {
    expect(Object.fromEntries(query(text))).toEqual(parameters);
  });

  it.each([
    ['a repeated parameter', 'a=1&a=2', 'parameters.repeated'],
    ['a repeated parameter of the same value', 'state=1&state=1', 'parameters.repeated'],
    ['a repetition spelled otherwise', 'state=1&%73tate=2', 'parameters.repeated'],
    ['a broken escape', 'a=%zz', 'parameters.encoding'],
    ['half an escape', 'a=%', 'parameters.encoding'],
    ['an overlong form', 'a=%C0%AF', 'parameters.encoding'],
    ['a surrogate in UTF-8', 'a=%ED%A0%80', 'parameters.encoding'],
    ['a lone continuation byte', 'a=%80', 'parameters.encoding'],
    ['bad UTF-8 in a name', '%FF=1', 'parameters.encoding'],
    ['a value of 4,097 characters', `a=${'x'.repeat(4097)}`, 'parameters.too_long'],
    ['a value of 10,000 characters', `state=${'x'.repeat(10_000)}`, 'parameters.too_long'],
    ['65 parameters', Array.from({ length: 65 }, (_, i) => `p${i}=1`).join('&'), 'parameters.too_many'],
    ['65 empty pairs', '&'.repeat(64), 'parameters.too_many'],
    ['a million pairs', 'a&'.repeat(30_000), 'parameters.too_many'],
    ['more than the limit in all', 'x'.repeat(maxBodyBytes + 1), 'parameters.too_large'],
  ])('%s is refused', (_, text, reason) => {
    expect(refused(() => query(text))).toEqual([400, 'invalid_request', reason]);
  });

  it('two resources are refused as a target', () => {
    const text = 'resource=https://a&resource=https://b';
    expect(refused(() => query(text))).toEqual([400, 'invalid_target', 'resource.several']);
  });

  it('what a description quotes of a name is short and harmless', () => {
    const name = `${encodeURIComponent('<script>"\r\n')}${'x'.repeat(5000)}`;
    expect(() => query(`${name}=1&${name}=2`)).toThrow(/^The parameter \?script\?{4}x{29} is repeated\.$/);
  });

  it('reads back what URLSearchParams writes', () => {
    const values = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 1 }));
    fc.assert(
      fc.property(values, (dictionary) => {
        const text = new URLSearchParams(dictionary).toString();
        expect(new Map(query(text))).toEqual(new Map(Object.entries(dictionary)));
      }),
    );
  });

  it('whatever it is given, it answers or refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a=&%+;26Fg\u0000é') }), (text) => {
        const result = refused(() => query(text));
        if (result !== 'accepted') expect(result[1]).toBe('invalid_request');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formParameters', () => {
  it.each([
    ['the type alone', urlencoded],
    ['with a charset', `${urlencoded}; charset=UTF-8`],
    ['in capitals', 'Application/X-WWW-Form-URLencoded'],
    ['with a space before the semicolon', `${urlencoded} ;charset=utf-8`],
  ])('%s', (_, type) => {
    expect(formParameters(posted('a=1', { 'content-type': type })).get('a')).toBe('1');
  });

  it.each([
    ['no content type', posted('a=1', {}), 400, 'parameters.content_type'],
    ['JSON', posted('{}', { 'content-type': 'application/json' }), 400, 'parameters.content_type'],
    ['multipart', posted('', { 'content-type': 'multipart/form-data; boundary=a' }), 400, 'parameters.content_type'],
    ['two types', posted('a=1', { 'content-type': `${urlencoded}, text/plain` }), 400, 'parameters.content_type'],
    ['a tab', posted('a=1', { 'content-type': `${urlencoded}\tx` }), 400, 'parameters.content_type'],
    [
      'a compressed body',
      posted('a=1', { 'content-type': urlencoded, 'content-encoding': 'gzip' }),
      400,
      'parameters.content_encoding',
    ],
    ['bytes that are not UTF-8', posted(Uint8Array.of(0x61, 0x3d, 0xff)), 400, 'body.encoding'],
    ['a body over the limit', posted(Buffer.alloc(maxBodyBytes + 1, 'a')), 413, 'body.too_large'],
    ['a repeated parameter', posted('code=1&code=2'), 400, 'parameters.repeated'],
    ['a value of 10,000 characters', posted(`code=${'x'.repeat(10_000)}`), 400, 'parameters.too_long'],
  ])('%s', (_, sent, status, reason) => {
    expect(refused(() => formParameters(sent))).toEqual([status, 'invalid_request', reason]);
  });

  it('reads longer values where it is told', () => {
    const body = `form=${'x'.repeat(10_000)}`;
    expect(formParameters(posted(body), { maxValueLength: 16_384 }).get('form')).toHaveLength(10_000);
  });
});

describe('jsonBody', () => {
  const json = (body: string | Uint8Array, type = 'application/json') => posted(body, { 'content-type': type });

  it.each([
    ['an object', json('{"a":1}'), { a: 1 }],
    ['a charset', json('{}', 'application/json; charset=utf-8'), {}],
    ['escapes', json('{"a":"\\u20ac"}'), { a: '€' }],
  ])('%s', (_, sent, value) => {
    expect(jsonBody(sent)).toEqual(value);
  });

  it.each([
    ['no content type', posted('{}', {}), 400, 'body.content_type'],
    ['a form', posted('a=1'), 400, 'body.content_type'],
    ['JSON with a suffix', json('{}', 'application/json-patch+json'), 400, 'body.content_type'],
    ['nothing', json(''), 400, 'body.json'],
    ['half of it', json('{"a":'), 400, 'body.json'],
    ['a byte order mark', json('\ufeff{}'), 400, 'body.json'],
    ['a list', json('[]'), 400, 'body.not_an_object'],
    ['null', json('null'), 400, 'body.not_an_object'],
    ['a number', json('1'), 400, 'body.not_an_object'],
    ['a text', json('"a"'), 400, 'body.not_an_object'],
    ['bytes that are not UTF-8', json(Uint8Array.of(0x22, 0xff, 0x22)), 400, 'body.encoding'],
    ['a body over the limit', json(Buffer.alloc(maxBodyBytes + 1, ' ')), 413, 'body.too_large'],
    ['60,000 open brackets', json('['.repeat(60_000)), 400, 'body.json'],
  ])('%s is refused', (_, sent, status, reason) => {
    expect(refused(() => jsonBody(sent))).toEqual([status, 'invalid_request', reason]);
  });
});
