/** SEC-09: what an outbound request reaches, how often it asks for a name, and what it costs. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dnsResolver, type HostResolver, hostAddresses } from '../../src/net/host-addresses.ts';
import { type SafeFetchOptions, safeFetch, type Wanted } from '../../src/net/safe-fetch.ts';
import { SafeFetchError } from '../../src/net/safe-fetch-error.ts';
import { type Certificate, certificate, json, type Origin, startOrigin } from './servers.ts';

const wanted: Wanted = { maxBytes: 1000, accept: 'application/json', isType: (type) => type === 'application/json' };

let tls: Certificate;
let origin: Origin;

beforeAll(async () => {
  tls = certificate('client.example', '127.0.0.1');
  origin = await startOrigin(tls);
});
afterAll(() => origin.close());
beforeEach(() => {
  origin.requests.length = 0;
  origin.answer = json({ hello: 'world' });
});

const toLoopback: HostResolver = async () => ['127.0.0.1'];

function fetcher(options: SafeFetchOptions = {}) {
  return safeFetch({
    resolveHost: toLoopback,
    dangerouslyAllowLoopback: true,
    extraCertificates: [tls.cert],
    ...options,
  });
}

const url = (path = '/client.json') => `https://client.example:${origin.port}${path}`;

/** The reason of the refusal; `fetched` where there was none. */
async function outcome(fetching: Promise<unknown>): Promise<string> {
  try {
    await fetching;
    return 'fetched';
  } catch (error) {
    return error instanceof SafeFetchError ? error.reason : `not ours: ${error}`;
  }
}

describe('a good answer', () => {
  it('comes with its bytes and headers, and the server saw the right name in TLS and in Host', async () => {
    origin.answer = json({ a: 1 }, { 'cache-control': 'max-age=5' });
    const { bytes, headers } = await fetcher()(url('/a?b=c'), wanted);
    expect(bytes.toString()).toBe('{"a":1}');
    expect(headers['cache-control']).toBe('max-age=5');
    expect(origin.requests).toMatchObject([
      { path: '/a?b=c', host: `client.example:${origin.port}`, servername: 'client.example' },
    ]);
  });

  it('was asked for without cookies, credentials, or compression', async () => {
    await fetcher()(url(), wanted);
    expect(Object.keys(origin.requests[0]?.headers ?? {}).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
    expect(origin.requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity', connection: 'close' });
  });

  it('may use the whole limit', async () => {
    origin.answer = json(`"${'x'.repeat(998)}"`);
    expect((await fetcher()(url(), wanted)).bytes.length).toBe(1000);
  });
});

describe('addresses', () => {
  it.each([[['127.0.0.1']], [['::1']], [['10.0.0.1']], [['169.254.169.254']], [['::ffff:127.0.0.1']]])(
    'a name that leads to %j is not connected to',
    async (addresses) => {
      const before = origin.connections();
      const fetching = fetcher({ resolveHost: async () => addresses, dangerouslyAllowLoopback: false })(url(), wanted);
      expect(await outcome(fetching)).toBe('fetch.special_use');
      expect(origin.connections()).toBe(before);
    },
  );

  it.each([
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[fe80::1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://localhost/',
    'https://LOCALHOST/',
    'https://localhost./',
    'https://a.localhost/',
    'https://①②⑦.0.0.1/',
  ])('%s is refused as it stands, and no name server is asked', async (address) => {
    let asked = 0;
    const resolveHost: HostResolver = async () => {
      asked += 1;
      return ['10.0.0.1'];
    };
    expect(await outcome(safeFetch({ resolveHost })(address, wanted))).toBe('fetch.special_use');
    expect(asked).toBe(0);
  });

  /** Only asked which addresses, so that not even a broken check sends anything to a public one. */
  const addressesOf = (addresses: readonly string[], options = {}) =>
    hostAddresses('client.example', new AbortController().signal, {
      resolveHost: async () => addresses,
      dangerouslyAllowLoopback: false,
      loopbackOnly: false,
      ...options,
    });

  it.each([
    [['8.8.8.8', '127.0.0.1']],
    [['127.0.0.1', '8.8.8.8']],
    [['2606:4700::1111', 'fd00::1']],
    [['8.8.8.8', '64:ff9b::7f00:1']],
    [[...Array<string>(20).fill('8.8.8.8'), '10.0.0.1']],
    [['8.8.8.8', 'not an address']],
  ])('one that is not public spoils them all: %j', async (addresses) => {
    expect(await outcome(addressesOf(addresses))).toBe('fetch.special_use');
  });

  it('public ones pass, a few of them, and over plain http none', async () => {
    expect(await addressesOf(['8.8.8.8', '2606:4700::1111'])).toEqual(['8.8.8.8', '2606:4700::1111']);
    expect(await addressesOf(Array<string>(20).fill('8.8.8.8'))).toHaveLength(8);
    const plain = { dangerouslyAllowLoopback: true, loopbackOnly: true };
    expect(await outcome(addressesOf(['8.8.8.8'], plain))).toBe('fetch.url');
    expect(await outcome(addressesOf(['127.0.0.1', '8.8.8.8'], plain))).toBe('fetch.url');
    expect(await addressesOf(['127.0.0.1', '::1'], plain)).toEqual(['127.0.0.1', '::1']);
  });

  it('the name is asked for once, so a second answer (DNS rebinding) is never heard', async () => {
    const other = await startOrigin(tls, '127.0.0.2');
    try {
      const answers = [['127.0.0.1'], ['127.0.0.2']];
      const asked: string[] = [];
      const resolveHost: HostResolver = async (hostname) => {
        asked.push(hostname);
        return answers.shift() ?? [];
      };
      expect(await outcome(fetcher({ resolveHost })(url(), wanted))).toBe('fetched');
      expect(asked).toEqual(['client.example']);
      expect(origin.requests.length).toBe(1);
      expect(other.connections()).toBe(0);
    } finally {
      await other.close();
    }
  });

  it('public first and loopback later: every fetch checks anew', async () => {
    const answers = [['10.0.0.1'], ['127.0.0.1']];
    const fetch = safeFetch({ resolveHost: async () => answers.shift() ?? [], extraCertificates: [tls.cert] });
    expect(await outcome(fetch(url(), wanted))).toBe('fetch.special_use');
    expect(await outcome(fetch(url(), wanted))).toBe('fetch.special_use');
    expect(answers).toEqual([]);
  });

  it('the development switch opens loopback and nothing else', async () => {
    for (const address of ['10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', '0.0.0.0', 'fe80::1']) {
      const fetching = fetcher({ resolveHost: async () => [address] })(url(), wanted);
      expect(await outcome(fetching), address).toBe('fetch.special_use');
    }
  });

  it.each<[string, HostResolver]>([
    ['no address', async () => []],
    ['a failing name server', async () => Promise.reject(new Error('SERVFAIL'))],
  ])('%s', async (_, resolveHost) => {
    expect(await outcome(fetcher({ resolveHost })(url(), wanted))).toBe('fetch.no_address');
  });
});

describe('URLs', () => {
  it.each([
    'http://client.example/',
    'ftp://client.example/',
    'file:///etc/passwd',
    'data:application/json,{}',
    'https://user@client.example/',
    'https://user:password@client.example/',
    'https://client.example/#fragment',
    'https://client.example/#',
    '//client.example/',
    'client.example',
    '',
  ])('"%s" is refused', async (bad) => {
    expect(await outcome(safeFetch({ resolveHost: toLoopback })(bad, wanted))).toBe('fetch.url');
  });

  it('plain http is for this computer, with the switch, and for no other', async () => {
    const plain = await startOrigin(undefined);
    plain.answer = json({});
    try {
      const address = `http://127.0.0.1:${plain.port}/`;
      expect(await outcome(fetcher()(address, wanted))).toBe('fetched');
      expect(await outcome(safeFetch()(address, wanted))).toBe('fetch.url');
    } finally {
      await plain.close();
    }
  });
});

describe('TLS', () => {
  it('a certificate nobody vouches for is refused, whatever the environment says', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      expect(await outcome(fetcher({ extraCertificates: [] })(url(), wanted))).toBe('fetch.unreachable');
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    expect(origin.requests).toEqual([]);
  });

  it('a certificate for another name is refused', async () => {
    expect(await outcome(fetcher()(`https://other.example:${origin.port}/`, wanted))).toBe('fetch.unreachable');
    expect(origin.requests).toEqual([]);
  });

  it('a server that speaks no TLS', async () => {
    const plain = await startOrigin(undefined);
    try {
      const fetching = fetcher()(`https://client.example:${plain.port}/`, wanted);
      expect(await outcome(fetching)).toBe('fetch.unreachable');
    } finally {
      await plain.close();
    }
  });
});

describe('answers', () => {
  it.each([301, 302, 303, 307, 308, 300, 304])('%i is not followed', async (status) => {
    origin.answer = (_, response) => response.writeHead(status, { location: url('/elsewhere') }).end();
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.redirected');
    expect(origin.requests.map(({ path }) => path)).toEqual(['/client.json']);
  });

  it.each([
    [201, 'fetch.status'],
    [204, 'fetch.status'],
    [206, 'fetch.status'],
    [400, 'fetch.status'],
    [403, 'fetch.status'],
    [404, 'fetch.gone'],
    [410, 'fetch.gone'],
    [429, 'fetch.status'],
    [500, 'fetch.status'],
    [503, 'fetch.status'],
  ])('%i is no document', async (status, reason) => {
    origin.answer = (_, response) => response.writeHead(status, { 'content-type': 'application/json' }).end();
    expect(await outcome(fetcher()(url(), wanted))).toBe(reason);
  });

  it.each([['text/html'], ['text/json'], ['application/jsonp'], [undefined], ['application/javascript']])(
    'content type %s is refused',
    async (type) => {
      origin.answer = (_, response) => response.writeHead(200, type ? { 'content-type': type } : {}).end('{}');
      expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.content_type');
    },
  );

  it('parameters and case of the content type do not matter', async () => {
    origin.answer = json({}, { 'content-type': 'Application/JSON ; charset=utf-8' });
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetched');
  });

  it.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'x'])('content encoding %s is refused', async (encoding) => {
    origin.answer = (_, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
        .end(gzipSync(Buffer.alloc(10_000_000, ' ')));
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.content_encoding');
  });

  it('too large by its own word', async () => {
    origin.answer = json(`"${'x'.repeat(999)}"`, { 'content-length': '1001' });
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.too_large');
  });

  it('too large without a word: reading stops there', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    origin.answer = (_, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', more);
      more();
    };
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.too_large');
    await closed; // an endless body ended because we hung up
  });

  it('cut off in the middle', async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
      response.write('{"a":', () => response.socket?.destroy());
    };
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.unreachable');
  });

  it('closed without an answer', async () => {
    origin.answer = (_, response) => response.socket?.destroy();
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.unreachable');
  });

  it('endless headers', async () => {
    origin.answer = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'x-long': 'x'.repeat(40_000) }).end('{}');
    expect(await outcome(fetcher()(url(), wanted))).toBe('fetch.unreachable');
  });
});

describe('time', () => {
  const hurried: Wanted = { ...wanted, timeoutSeconds: 0.3 };

  it('a body that drips ends at the limit for the whole', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    origin.answer = (_, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    };
    expect(await outcome(fetcher()(url(), hurried))).toBe('fetch.timeout');
    await closed;
  });

  it('a server that says nothing', async () => {
    origin.answer = () => {};
    expect(await outcome(fetcher()(url(), hurried))).toBe('fetch.timeout');
  });

  it('a server that never finishes its handshake', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    expect(await outcome(fetcher()(`https://client.example:${port}/`, hurried))).toBe('fetch.timeout');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('a name server that says nothing', async () => {
    const resolveHost: HostResolver = () => new Promise(() => {});
    expect(await outcome(fetcher({ resolveHost })(url(), hurried))).toBe('fetch.timeout');
  });
});

describe('DNS', () => {
  /** A name server that answers A with 127.0.0.1 and AAAA with nothing, or is silent. */
  async function nameServer(silent: boolean) {
    const socket = createSocket('udp4');
    const types: number[] = [];
    socket.on('message', (query, { port, address }) => {
      const end = query.indexOf(0, 12) + 5;
      const type = query.readUInt16BE(end - 4);
      types.push(type);
      if (silent) return;
      const reply = Buffer.concat([
        query.subarray(0, 2),
        Buffer.from([0x81, 0x80, 0, 1, 0, type === 1 ? 1 : 0, 0, 0, 0, 0]),
        query.subarray(12, end),
        ...(type === 1 ? [Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])] : []),
      ]);
      socket.send(reply, port, address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return { socket, types, resolveHost: dnsResolver([`127.0.0.1:${socket.address().port}`]) };
  }

  it('asks for both families and takes what there is', async () => {
    const { socket, types, resolveHost } = await nameServer(false);
    expect(await outcome(fetcher({ resolveHost })(url(), wanted))).toBe('fetched');
    expect(types.sort()).toEqual([1, 28]);
    socket.close();
  });

  it('what it answers is checked', async () => {
    const { socket, resolveHost } = await nameServer(false);
    expect(await outcome(safeFetch({ resolveHost })(url(), wanted))).toBe('fetch.special_use');
    socket.close();
  });

  it('is given up with the request', async () => {
    const { socket, resolveHost } = await nameServer(true);
    expect(await outcome(fetcher({ resolveHost })(url(), { ...wanted, timeoutSeconds: 0.2 }))).toBe('fetch.timeout');
    socket.close();
  });
});
