/**
 * Which IP addresses are nobody's public server: the IANA special-purpose registries (RFC 6890), and every IPv6 form
 * that carries an IPv4 address inside, because whatever unwraps it would reach that one (SEC-09).
 */
import { isIP, isIPv4 } from 'node:net';

type Range = readonly [prefix: string, bits: number, name: string];

const ipv4Ranges: readonly Range[] = [
  ['0.0.0.0', 8, 'this network'],
  ['10.0.0.0', 8, 'private use'],
  ['100.64.0.0', 10, 'carrier-grade NAT'],
  ['127.0.0.0', 8, 'loopback'],
  // Not in the registry: the host agent of every Azure machine stands behind this public-looking address.
  ['168.63.129.16', 32, 'Azure platform'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private use'],
  ['192.0.0.0', 24, 'IETF protocol assignments'],
  ['192.0.2.0', 24, 'documentation'],
  ['192.31.196.0', 24, 'AS112'],
  ['192.52.193.0', 24, 'AMT'],
  ['192.88.99.0', 24, '6to4 relay'],
  ['192.168.0.0', 16, 'private use'],
  ['192.175.48.0', 24, 'AS112'],
  ['198.18.0.0', 15, 'benchmarking'],
  ['198.51.100.0', 24, 'documentation'],
  ['203.0.113.0', 24, 'documentation'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'], // and 255.255.255.255, broadcast
];

/** Inside 2000::/3, the only block that is handed out for public servers (RFC 4291 §2.4); nothing outside it passes. */
const ipv6Ranges: readonly Range[] = [
  ['2001::', 23, 'IETF protocol assignments'], // Teredo, benchmarking, ORCHID, AMT, AS112, …
  ['2001:db8::', 32, 'documentation'],
  ['2002::', 16, '6to4'],
  ['2620:4f:8000::', 48, 'AS112'],
  ['3ffe::', 16, '6bone'],
  ['3fff::', 20, 'documentation'],
];

const ipv4Table = ipv4Ranges.map(([prefix, bits, name]) => ({ first: ipv4Bits(prefix), bits: 32 - bits, name }));
const ipv6Table = ipv6Ranges.map(([prefix, bits, name]) => ({ first: ipv6Bits(prefix), bits: 128 - bits, name }));

/** Why no request of ours may go to this address, in words for the log; undefined: it is a public one. */
export function specialUse(address: string): string | undefined {
  // A zone (`%eth0`) only ever belongs to an address of this link.
  if (address.includes('%') || isIP(address) === 0) return 'no plain IP address';
  if (isIPv4(address)) return within(ipv4Bits(address), ipv4Table);
  const bits = ipv6Bits(address);
  // ::/128, ::1, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96 and /48), discard, ULA, link- and site-local, multicast.
  if (bits >> 125n !== 0b001n) return 'not global unicast';
  // ISATAP (RFC 5214 §6.1): the interface identifier says that the rest is an IPv4 address.
  const identifier = (bits >> 32n) & 0xffff_ffffn;
  if (identifier === 0x0000_5efen || identifier === 0x0200_5efen) return 'ISATAP';
  return within(bits, ipv6Table);
}

/** This very computer, written plainly: all that the development switch opens. */
export function isLoopbackAddress(address: string): boolean {
  return isIPv4(address) ? address.startsWith('127.') : address === '::1';
}

function within(bits: bigint, table: typeof ipv4Table): string | undefined {
  return table.find((range) => bits >> BigInt(range.bits) === range.first >> BigInt(range.bits))?.name;
}

function ipv4Bits(address: string): bigint {
  return address.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

/** Of a valid address: at most one `::`, at most one dotted tail. */
function ipv6Bits(address: string): bigint {
  const hex = address.replace(/[0-9.]+\.[0-9.]+$/, (dotted) => {
    const bits = ipv4Bits(dotted);
    return `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
  });
  const [head = [], tail = []] = hex.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const zeros = hex.includes('::') ? Array<string>(8 - head.length - tail.length).fill('0') : [];
  return [...head, ...zeros, ...tail].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
