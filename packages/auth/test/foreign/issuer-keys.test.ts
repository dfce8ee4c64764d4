/** An issuer's keys: when they are fetched, what of an answer is used, and what happens when there is none (SEC-09, SEC-19). */
import { generateKeyPairSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseKeySet } from '../../src/resource-server/foreign/key-set.ts';
import {
  ec,
  jwk,
  type LoopbackIssuer,
  rsa,
  start,
  startIssuer,
  startVerifier,
  tokenOf,
  verdict,
} from './loopback-issuer.ts';

const next = generateKeyPairSync('rsa', { modulusLength: 2048 });
const nextKey = jwk(next.publicKey, { kid: 'key-2', alg: 'RS256' });
const firstKey = jwk(rsa.publicKey, { kid: 'key-1', alg: 'RS256' });
const nextToken = (idp: LoopbackIssuer) => tokenOf(idp, { header: { kid: 'key-2' }, key: next.privateKey });

/** A long-lived token and the keys' address known: every request at the issuer is one for its keys. */
async function scene(options: Parameters<typeof startVerifier>[1] = {}) {
  const idp = await startIssuer();
  const verifier = startVerifier([{ issuer: idp.issuer, jwksUri: `${idp.issuer}/jwks` }], options);
  const token = tokenOf(idp, { claims: { exp: start + 1_000_000 } });
  const judge = async (text = token) => verdict(await verifier.judge(text));
  /** Until the issuer has been asked so many times, and we have heard. */
  const asked = async (times: number) => {
    await expect.poll(() => idp.requests.length).toBe(times);
  };
  const down = () => {
    idp.keys = (res) => res.writeHead(503).end('away');
  };
  return { idp, ...verifier, judge, asked, down, token };
}

describe('fetching', () => {
  it('once for many at once, and not again while fresh', async () => {
    const { judge, idp, clock } = await scene();
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => judge())))).toEqual(new Set(['accepted']));
    clock.seconds += 599;
    expect(await judge()).toBe('accepted');
    expect(idp.requests).toEqual(['/jwks']);
  });

  it.each<[Record<string, string>, number]>([
    [{}, 600],
    [{ 'cache-control': 'public, max-age=300' }, 300],
    [{ 'cache-control': 'max-age=1' }, 60],
    [{ 'cache-control': 'no-store, max-age=900' }, 60],
    [{ 'cache-control': 'max-age=99999999' }, 86_400],
    [{ 'cache-control': 'max-age=900', age: '700' }, 200],
    [{ 'cache-control': 'max-age=900', age: '9999' }, 60],
    [{ 'cache-control': 's-maxage=5, nonsense' }, 600],
  ])('%o: fresh for %i s, then in the background', async (headers, fresh) => {
    const { judge, idp, clock, asked } = await scene();
    idp.headers = headers;
    await judge();
    clock.seconds += fresh - 1;
    await judge();
    expect(idp.requests.length).toBe(1);
    clock.seconds += 1;
    // Nobody waits: the issuer's second answer never comes.
    let hung = false;
    idp.keys = () => {
      hung = true;
    };
    expect(await judge()).toBe('accepted');
    await asked(2);
    expect(hung).toBe(true);
  });

  it('a removed key leaves, and a new one comes', async () => {
    const { judge, idp, clock, asked, verify } = await scene();
    await judge();
    idp.keys = [nextKey];
    clock.seconds += 600;
    expect(await judge()).toBe('accepted'); // and the refresh is on its way
    await asked(2);
    await verify(nextToken(idp)); // the same answer: nothing more is asked
    expect(await judge()).toBe('token.key_unknown');
    expect(idp.requests.length).toBe(2);
  });

  it('after a long silence the first waits for the new keys', async () => {
    const { judge, idp, clock } = await scene();
    await judge();
    idp.keys = [];
    clock.seconds += 600 + 300;
    expect(await judge()).toBe('token.key_unknown');
  });

  it('a clock that is set back does not keep keys for ever', async () => {
    const { judge, idp, clock } = await scene();
    clock.seconds += 500_000;
    await judge();
    idp.keys = [];
    clock.seconds -= 500_000;
    expect(await judge()).toBe('token.key_unknown');
  });
});

describe('an unknown key id', () => {
  it('is looked for once in 30 seconds, for everybody together', async () => {
    const { judge, idp, clock } = await scene();
    await judge();
    clock.seconds += 30;
    const guesses = (from: number) =>
      Promise.all(
        Array.from({ length: 50 }, (_, index) => judge(tokenOf(idp, { header: { kid: `guess-${from + index}` } }))),
      );
    expect(new Set(await guesses(0))).toEqual(new Set(['token.key_unknown']));
    expect(idp.requests.length).toBe(2);
    clock.seconds += 29;
    await guesses(50);
    expect(idp.requests.length).toBe(2);
    clock.seconds += 1;
    await guesses(100);
    expect(idp.requests.length).toBe(3);
  });

  it('that is new is found by that look', async () => {
    const { judge, idp, clock } = await scene();
    await judge();
    idp.keys = [firstKey, nextKey];
    expect(await judge(nextToken(idp))).toBe('token.key_unknown'); // asked a moment ago
    clock.seconds += 30;
    expect(await judge(nextToken(idp))).toBe('accepted');
  });

  it('at the first request costs that one fetch', async () => {
    const { judge, idp } = await scene();
    expect(await judge(nextToken(idp))).toBe('token.key_unknown');
    expect(await judge(nextToken(idp))).toBe('token.key_unknown');
    expect(idp.requests.length).toBe(1);
  });
});

describe('while the issuer is away', () => {
  it('from the beginning: 503, asked once a second, and healed without a restart', async () => {
    const { judge, idp, clock, down, failures } = await scene();
    down();
    expect(new Set(await Promise.all([judge(), judge(), judge()]))).toEqual(new Set(['503 token.keys_unavailable']));
    expect(await judge()).toBe('503 token.keys_unavailable');
    expect(idp.requests.length).toBe(1);
    expect(failures).toHaveLength(1);
    idp.keys = [firstKey];
    clock.seconds += 1;
    expect(await judge()).toBe('accepted');
  });

  it('later: known keys serve for six hours more, strangers get 503, and the issuer is asked twice a minute', async () => {
    const { judge, idp, clock, down, asked } = await scene();
    await judge();
    down();
    clock.seconds += 600;
    expect(await judge()).toBe('accepted');
    await asked(2);
    clock.seconds += 300;
    expect(await judge()).toBe('accepted');
    expect(await judge()).toBe('accepted');
    expect(idp.requests.length).toBe(3);
    // It may be a good token with a new key: nobody can tell.
    expect(await judge(nextToken(idp))).toBe('503 token.keys_unavailable');
    expect(idp.requests.length).toBe(3);
    clock.seconds = start + 600 + 6 * 3600 - 1;
    expect(await judge()).toBe('accepted');
    clock.seconds += 1;
    expect(await judge()).toBe('503 token.keys_unavailable');
    idp.keys = [firstKey];
    clock.seconds += 1;
    expect(await judge()).toBe('accepted');
  });

  it('really away: the port is closed', async () => {
    const { judge, idp } = await scene();
    await idp.close();
    expect(await judge()).toBe('503 token.keys_unavailable');
  });

  it('one issuer away does not hinder another', async () => {
    const [a, b] = [await startIssuer(), await startIssuer()];
    const { judge } = startVerifier([a, b]);
    await a.close();
    expect(await judge(tokenOf(a)).then(verdict)).toBe('503 token.keys_unavailable');
    expect(await judge(tokenOf(b)).then(verdict)).toBe('accepted');
  });

  it.each<[string, LoopbackIssuer['keys']]>([
    ['says nothing at all', () => {}],
    ['stops in the middle', (res) => void res.writeHead(200, { 'content-length': '100' }).write('{"keys":[')],
  ])('an issuer that %s is given up', async (_, keys) => {
    const { judge, idp } = await scene({ timeoutSeconds: 0.1 });
    idp.keys = keys;
    expect(await judge()).toBe('503 token.keys_unavailable');
  });
});

describe('an answer that is not taken', () => {
  const large = JSON.stringify({ keys: [firstKey], padding: ' '.repeat(64 * 1024) });
  it.each<[string, LoopbackIssuer['keys']]>([
    ['a redirect', (res) => res.writeHead(302, { location: '/elsewhere/jwks' }).end()],
    ['201', (res) => res.writeHead(201).end(JSON.stringify({ keys: [firstKey] }))],
    ['404', (res) => res.writeHead(404).end()],
    ['too large', (res) => res.writeHead(200).end(large)],
    ['too large when it is unpacked', (res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(large))],
    ['no JSON', (res) => res.writeHead(200).end('<html>')],
    ['null', (res) => res.writeHead(200).end('null')],
    ['keys that are no list', (res) => res.writeHead(200).end('{"keys":{}}')],
    ['more than 100 keys', Array.from({ length: 101 }, (_, index) => ({ ...firstKey, kid: `key-${index}` }))],
  ])('%s', async (_, keys) => {
    const { judge, idp, clock, failures } = await scene();
    idp.keys = keys;
    expect(await judge()).toBe('503 token.keys_unavailable');
    expect(failures).toHaveLength(1);
    expect(idp.requests).toEqual(['/jwks']);
    idp.keys = [firstKey];
    clock.seconds += 1;
    expect(await judge()).toBe('accepted');
  });
});

describe('discovery', () => {
  const discovering = async (discovery: LoopbackIssuer['discovery'] | undefined) => {
    const idp = await startIssuer();
    if (discovery) idp.discovery = discovery;
    const verifier = startVerifier([idp]);
    return {
      idp,
      ...verifier,
      judge: async () => verdict(await verifier.judge(tokenOf(idp, { claims: { exp: start + 9000 } }))),
    };
  };

  it.each<[string, (idp: LoopbackIssuer) => LoopbackIssuer['discovery']]>([
    ['of another issuer', (idp) => ({ issuer: 'https://evil.example', jwks_uri: `${idp.issuer}/jwks` })],
    ['of the issuer with a slash', (idp) => ({ issuer: `${idp.issuer}/`, jwks_uri: `${idp.issuer}/jwks` })],
    ['without keys', (idp) => ({ issuer: idp.issuer })],
    ['with keys in a file', (idp) => ({ issuer: idp.issuer, jwks_uri: 'file:///etc/passwd' })],
    ['with keys over plain http elsewhere', (idp) => ({ issuer: idp.issuer, jwks_uri: 'http://keys.example/jwks' })],
    ['with a user in the address', (idp) => ({ issuer: idp.issuer, jwks_uri: idp.issuer.replace('//', '//a:b@') })],
    ['that is elsewhere', () => (res) => res.writeHead(301, { location: '/jwks' }).end()],
    ['that is null', () => (res) => res.end('null')],
  ])('a document %s is not believed, and is asked for again', async (_, discovery) => {
    const { idp, judge, clock } = await discovering(undefined);
    const good = idp.discovery;
    idp.discovery = discovery(idp);
    expect(await judge()).toBe('503 token.keys_unavailable');
    expect(idp.requests).toEqual(['/.well-known/openid-configuration']);
    idp.discovery = good;
    clock.seconds += 1;
    expect(await judge()).toBe('accepted');
  });

  it('the keys of an https issuer are not looked for on this computer', async () => {
    const asked: string[] = [];
    const { judge } = startVerifier([{ issuer: 'https://idp.example/tenant/' }], {
      fetch: async (url) => {
        asked.push(url);
        return Response.json({ issuer: 'https://idp.example/tenant/', jwks_uri: 'http://127.0.0.1:9/jwks' });
      },
    });
    const token = tokenOf({ issuer: 'https://idp.example/tenant/' });
    expect(verdict(await judge(token))).toBe('503 token.keys_unavailable');
    expect(asked).toEqual(['https://idp.example/tenant/.well-known/openid-configuration']);
  });

  it('keys that have moved are found again', async () => {
    const { idp, judge, clock } = await discovering(undefined);
    expect(await judge()).toBe('accepted');
    const { keys } = idp;
    idp.keys = (res) => res.writeHead(410).end();
    clock.seconds += 900;
    expect(await judge()).toBe('accepted');
    idp.keys = keys;
    idp.discovery = { issuer: idp.issuer, jwks_uri: `${idp.issuer}/new/jwks` };
    clock.seconds += 30;
    expect(await judge()).toBe('accepted');
    expect(idp.requests.slice(-2)).toEqual(['/.well-known/openid-configuration', '/new/jwks']);
  });
});

describe('keys that are passed over, and the good one beside them', () => {
  const private512 = { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(64, 0xff).toString('base64url') };
  const modulus = (bits: number) => Buffer.alloc(bits / 8, 0xff).toString('base64url');
  it.each<[string, unknown]>([
    ['symmetric', { kty: 'oct', k: 'AAAA', kid: 'x', alg: 'HS256' }],
    ['symmetric that claims RS256', { kty: 'oct', k: 'AAAA', kid: 'x', alg: 'RS256' }],
    ['RSA of 512 bits', { ...private512, kid: 'x' }],
    ['RSA of 1,024 bits', { kty: 'RSA', e: 'AQAB', n: modulus(1024), kid: 'x' }],
    ['RSA of 16,384 bits', { kty: 'RSA', e: 'AQAB', n: modulus(16_384), kid: 'x' }],
    ['RSA with a giant exponent', { ...firstKey, e: modulus(2040), kid: 'x' }],
    ['RSA with exponent 1', { ...firstKey, e: 'AQ', kid: 'x' }],
    ['for encryption', { ...firstKey, use: 'enc', kid: 'x' }],
    ['for other operations', { ...firstKey, key_ops: ['wrapKey'], kid: 'x' }],
    ['with operations in text', { ...firstKey, key_ops: 'verify', kid: 'x' }],
    ['for another algorithm', { ...firstKey, alg: 'RS512', kid: 'x' }],
    ['for the algorithm of another type', { ...firstKey, alg: 'ES256', kid: 'x' }],
    ['on another curve', { ...jwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), kid: 'x' }],
    ['off its curve', { ...jwk(ec.publicKey), x: 'AAAA', kid: 'x' }],
    ['for agreement only', { ...jwk(generateKeyPairSync('x25519').publicKey), kid: 'x' }],
    ['without id', { ...firstKey, kid: undefined }],
    ['with a number for an id', { ...firstKey, kid: 7 }],
    ['with a huge id', { ...firstKey, kid: 'x'.repeat(257) }],
    ['with a list for a modulus', { ...firstKey, n: [1], kid: 'x' }],
    ['of an unknown type', { kty: 'ML-DSA', kid: 'x' }],
    ['with names that every object has', { kty: 'constructor', kid: '__proto__' }],
    ['null', null],
    ['text', 'key'],
    ['nothing in it', {}],
  ])('%s', (_, key) => {
    const keys = parseKeySet(JSON.stringify({ keys: [key, firstKey] }), ['RS256', 'ES256', 'EdDSA']);
    expect([...keys.keys()]).toEqual(['key-1']);
  });

  it('an id that stands twice belongs to the first', async () => {
    const { judge, idp } = await scene();
    idp.keys = [firstKey, { ...nextKey, kid: 'key-1' }];
    expect(await judge()).toBe('accepted');
    expect(await judge(tokenOf(idp, { key: next.privateKey }))).toBe('token.signature');
  });

  it('a key without alg counts for the first configured algorithm of its type', () => {
    const set = { keys: [{ ...firstKey, alg: undefined }, jwk(ec.publicKey, { kid: 'e' })] };
    const keys = parseKeySet(JSON.stringify(set), ['RS256', 'ES256', 'EdDSA']);
    expect([...keys].map(([kid, { algorithm }]) => `${kid} ${algorithm}`)).toEqual(['key-1 RS256', 'e ES256']);
    expect(parseKeySet(JSON.stringify(set), ['EdDSA']).size).toBe(0);
  });

  it('a private key that was published by mistake is used as the public one', async () => {
    const { judge, idp } = await scene();
    idp.keys = [jwk(rsa.privateKey, { kid: 'key-1', alg: 'RS256' })];
    expect(await judge()).toBe('accepted');
  });
});

it('failures are told without the answer', async () => {
  const { judge, idp, failures } = await scene();
  onTestFinished(() => idp.close());
  idp.keys = (res) => res.writeHead(500).end('a secret');
  await judge();
  expect(String(failures[0])).toBe(`Error: ${idp.issuer}/jwks answered 500`);
});
