/** Which URLs are client ids (AS-18), and of which hosts (AS-30). */
import { describe, expect, it } from 'vitest';
import {
  clientIdUrlFault,
  domainPolicy,
} from '../../src/authorization-server/clients/metadata-document/client-id-url.ts';

it.each([
  'https://client.example/client.json',
  'https://client.example/oauth/client',
  'https://client.example/a/',
  'https://client.example:8443/client.json',
  'https://a.b.client.example/@team/app~1/client-metadata.json',
  'https://xn--bcher-kva.example/client.json',
  'https://client.example/%C3%A9.json',
])('%s is a client id', (url) => {
  expect(clientIdUrlFault(url)).toBeUndefined();
});

it.each([
  ['http://client.example/client.json', 'is not https'],
  ['ftp://client.example/client.json', 'is not https'],
  ['https://', 'is not a URL'],
  ['https://client.example', 'is not in normal form'],
  ['https://client.example/', 'has no path'],
  ['https://client.example/a/../client.json', 'is not in normal form'],
  ['https://client.example/./client.json', 'is not in normal form'],
  ['https://client.example/a/..', 'is not in normal form'],
  ['https://client.example/%2e%2e/client.json', 'is not in normal form'],
  ['https://client.example/.%2E/client.json', 'is not in normal form'],
  ['https://client.example/a%2f..%2fclient.json', 'has encoded slashes'],
  ['https://client.example/a%5Cb', 'has encoded slashes'],
  ['https://client.example/a%00', 'has encoded slashes'],
  ['https://client.example\\client.json', 'is not in normal form'],
  ['https:client.example/client.json', 'is not in normal form'],
  ['https:///client.example/client.json', 'is not in normal form'],
  ['https://client.example/client.json#', 'has a fragment'],
  ['https://client.example/client.json#a', 'has a fragment'],
  ['https://client.example/client.json?', 'has a query'],
  ['https://client.example/client.json?a=b', 'has a query'],
  ['https://user@client.example/client.json', 'has userinfo'],
  ['https://user:pw@client.example/client.json', 'has userinfo'],
  ['https://@client.example/client.json', 'is not in normal form'],
  ['https://client.example:443/client.json', 'is not in normal form'],
  ['https://CLIENT.example/client.json', 'is not in normal form'],
  ['HTTPS://client.example/client.json', 'is not in normal form'],
  ['https://clıent.example/client.json', 'is not in normal form'],
  [' https://client.example/client.json', 'is not in normal form'],
  ['https://client.example/client.json\n', 'is not in normal form'],
  ['https://client.example/a b', 'is not in normal form'],
  ['https://0x7f.1/client.json', 'is not in normal form'],
  ['https://127.0.0.1/client.json', 'has an address'],
  ['https://8.8.8.8/client.json', 'has an address'],
  ['https://[2606:4700::1111]/client.json', 'has an address'],
  ['https://intranet/client.json', 'has no full host name'],
  ['https://client.example./client.json', 'has no full host name'],
  [`https://client.example/${'a'.repeat(1100)}`, 'is longer'],
])('%s is not', (url, fault) => {
  expect(clientIdUrlFault(url)).toContain(fault);
});

it('the development switch allows http and addresses, and no other form', () => {
  expect(clientIdUrlFault('http://127.0.0.1:3000/client.json', true)).toBeUndefined();
  expect(clientIdUrlFault('http://localhost:3000/client.json', true)).toBeUndefined();
  expect(clientIdUrlFault('http://localhost:3000/../client.json', true)).toContain('normal form');
});

describe('domain policy', () => {
  it.each([
    ['client.example', true],
    ['other.example', false],
    ['a.client.example', false],
    ['a.tools.example', true],
    ['a.b.tools.example', true],
    ['tools.example', false],
    ['eviltools.example', false],
    ['bad.tools.example', false],
    ['client.example.evil.example', false],
  ])('%s: %s', (host, allowed) => {
    const policy = domainPolicy({ allow: ['client.example', '*.tools.example'], deny: ['bad.tools.example'] });
    expect(policy.clients(host)).toBe(allowed);
  });

  it('without a list everybody, but those denied; keys and logos need no place on the allow list', () => {
    expect(domainPolicy({}).clients('any.example')).toBe(true);
    expect(domainPolicy({ deny: ['any.example'] }).clients('any.example')).toBe(false);
    expect(domainPolicy({ deny: ['any.example'] }).fetches('any.example.')).toBe(false);
    expect(domainPolicy({ allow: [] }).clients('any.example')).toBe(false);
    expect(domainPolicy({ allow: ['a.example'] }).fetches('b.example')).toBe(true);
  });

  it.each(['https://a.example', 'A.example', 'a.example/', 'a.*.example', '*', '', '*.', 'a.example:443', 'a@b'])(
    'the entry "%s" is refused at start',
    (entry) => {
      expect(() => domainPolicy({ deny: [entry] })).toThrow(TypeError);
      expect(() => domainPolicy({ allow: [entry] })).toThrow(TypeError);
    },
  );
});
