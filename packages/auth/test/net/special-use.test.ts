/** SEC-09: every spelling of an address that is nobody's public server, and that real public ones pass. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLoopbackAddress, specialUse } from '../../src/net/special-use.ts';

const refused: Readonly<Record<string, readonly string[]>> = {
  'IPv4 this network': ['0.0.0.0', '0.0.0.1', '0.255.255.255'],
  'IPv4 private': [
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.1',
    '172.20.10.5',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
  ],
  'carrier-grade NAT, and a metadata server within': ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  'IPv4 loopback': ['127.0.0.1', '127.0.0.2', '127.1.2.3', '127.255.255.255'],
  'link-local and cloud metadata': ['169.254.0.1', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
  'the Azure host agent': ['168.63.129.16'],
  'IETF assignments, and a metadata server within': ['192.0.0.1', '192.0.0.170', '192.0.0.192', '192.0.0.255'],
  'IPv4 documentation': ['192.0.2.1', '198.51.100.7', '203.0.113.255'],
  'AS112, AMT and 6to4 relays': ['192.31.196.1', '192.52.193.1', '192.88.99.1', '192.175.48.1'],
  'IPv4 benchmarking': ['198.18.0.1', '198.19.255.255'],
  'IPv4 multicast, reserved, broadcast': [
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '254.1.2.3',
    '255.255.255.254',
    '255.255.255.255',
  ],
  'IPv6 unspecified and loopback': [
    '::',
    '0:0:0:0:0:0:0:0',
    '::1',
    '0:0:0:0:0:0:0:1',
    '0000:0000:0000:0000:0000:0000:0000:0001',
    '::0.0.0.1',
  ],
  'IPv4-mapped, of private and public addresses': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:7F00:0001',
    '0:0:0:0:0:ffff:10.0.0.1',
    '::ffff:a9fe:a9fe',
    '::ffff:8.8.8.8',
  ],
  'IPv4-compatible and -translated': ['::127.0.0.1', '::7f00:1', '::10.0.0.1', '::ffff:0:127.0.0.1'],
  NAT64: ['64:ff9b::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1', '64:ff9b::8.8.8.8'],
  'discard-only': ['100::', '100::1', '100:0:0:1::1'],
  Teredo: ['2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  'IETF assignments in IPv6': ['2001:2::1', '2001:3::1', '2001:4:112::1', '2001:10::1', '2001:20::1', '2001:1ff::1'],
  'IPv6 documentation': ['2001:db8::1', '2001:0db8:ffff::1', '3fff::1', '3fff:fff::1'],
  '6to4, of private and public addresses': ['2002:7f00:1::', '2002:a00:1::1', '2002:808:808::1', '2002::'],
  'AS112 and the old 6bone': ['2620:4f:8000::1', '3ffe::1'],
  ISATAP: ['2606:4700::5efe:127.0.0.1', '2606:4700::200:5efe:a00:1', '2606:4700::0:5efe:7f00:1'],
  'segment routing': ['5f00::1'],
  'unique local, and a metadata server within': ['fc00::', 'fc00::1', 'fd00::1', 'fd00:ec2::254', 'fdff:ffff::1'],
  'IPv6 link-local and site-local': ['fe80::1', 'febf::1', 'fec0::1', 'feff::1', 'fe80::5efe:10.0.0.1'],
  'with a zone': ['fe80::1%lo', '::1%1', '2606:4700::1111%eth0'],
  'IPv6 multicast': ['ff00::1', 'ff02::1', 'ff0e::1'],
  'not handed out': ['4000::1', '1::1', 'a000::1', '200::1'],
  'no address': [
    '',
    'localhost',
    '0x7f.1',
    '2130706433',
    '127.1',
    '0177.0.0.1',
    '127.0.0.1.',
    ' 127.0.0.1',
    '[::1]',
    '1.2.3.4/8',
  ],
};

const spellings = Object.values(refused).flat();

it('the table is not small', () => {
  expect(new Set(spellings).size).toBe(spellings.length);
  expect(spellings.length).toBeGreaterThanOrEqual(80);
});

describe.each(Object.entries(refused))('%s', (_, addresses) => {
  it.each(addresses)('"%s" is refused', (address) => {
    expect(specialUse(address)).toBeTypeOf('string');
  });
});

it.each([
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.17',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.0.3.0',
  '192.167.255.255',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2000::1',
  '2001:200::1',
  '2001:db7::1',
  '2001:4860:4860::8888',
  '2003::1',
  '2606:4700:4700::1111',
  '2a00:1450:4001::5eff:1',
  '3fff:1000::1',
])('%s is public', (address) => {
  expect(specialUse(address)).toBeUndefined();
});

it('an IPv4 address inside an IPv6 one is refused, whatever carries it', () => {
  const carriers = ['::', '::ffff:', '::ffff:0:', '64:ff9b::', '2606:4700::5efe:', '2606:4700::200:5efe:'];
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom(...carriers), (address, carrier) => {
      expect(specialUse(carrier + address)).toBeTypeOf('string');
    }),
  );
});

it('any spelling of an IPv6 address gets the same answer', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (groups) => {
      const plain = groups.map((group) => group.toString(16)).join(':');
      const padded = groups.map((group) => group.toString(16).padStart(4, '0').toUpperCase()).join(':');
      const [a = 0, b = 0] = groups.slice(6);
      const dotted = `${groups
        .slice(0, 6)
        .map((group) => group.toString(16))
        .join(':')}:${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
      const compressed = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
      const answers = new Set([plain, padded, dotted, compressed].map(specialUse));
      expect(answers.size).toBe(1);
    }),
  );
});

it('loopback is only what is written as loopback', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1'].every(isLoopbackAddress)).toBe(true);
  expect(['::ffff:127.0.0.1', '0.0.0.0', '128.0.0.1', '::', '1.127.0.0'].some(isLoopbackAddress)).toBe(false);
});
