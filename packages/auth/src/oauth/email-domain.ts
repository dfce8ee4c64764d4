/**
 * The domain of an e-mail address, and whether an operator's list has it. Two spellings of one domain are one; whatever could
 * be read in two ways is no domain at all, because access hangs on it. Pure.
 */
import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 5321 §4.5.3.1: no address is longer. */
const maxAddressLength = 320;
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** At least two labels, and the last is no number: no `localhost`, no address of a machine. */
const asciiDomain = new RegExp(`^(?:${label}\\.)+(?=[a-z0-9-]*[a-z])${label}$`);

/**
 * In ASCII (RFC 5890 A-labels) and lower case; undefined: no address, or one that is not of the plain form `name@domain`.
 * A quoted local part may hold a second `@`, and two readers would take two domains from it: nobody's list has it.
 */
export function emailDomainOf(address: unknown): string | undefined {
  if (typeof address !== 'string' || address.length > maxAddressLength) return undefined;
  const match = /^[^\s@"(),:;<>[\\\]]+@([^\s@]+)$/u.exec(address);
  return match ? comparableDomain(match[1] as string) : undefined;
}

/** `example.com`, or `*.example.com` for every domain below it but not itself. `domain`: as `emailDomainOf` gives it. */
export function isDomainOf(domain: string, pattern: string): boolean {
  const below = pattern.startsWith('*.');
  const named = comparableDomain(below ? pattern.slice(2) : pattern);
  if (named === undefined) return false;
  return below ? domain.endsWith(`.${named}`) : domain === named;
}

/** Why it is no pattern, as the end of a sentence; undefined: it is one. */
export function domainPatternFault(pattern: string): string | undefined {
  if (pattern.includes('@')) return 'is an address; give its domain, such as example.com';
  const named = comparableDomain(pattern.startsWith('*.') ? pattern.slice(2) : pattern);
  return named === undefined ? 'is not a domain such as example.com or *.example.com' : undefined;
}

function comparableDomain(text: string): string | undefined {
  // ASCII letters alone: the Kelvin sign becomes a k, too.
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  // Characters that only look like others (full width, ligatures) are mapped to them here, and perhaps not where the
  // address was verified: what does not come back as it was is not taken.
  const ascii = domainToASCII(lower);
  if (ascii !== lower && domainToUnicode(ascii) !== lower) return undefined;
  return ascii.length <= 253 && asciiDomain.test(ascii) ? ascii : undefined;
}
