/** Domains of e-mail addresses: what a list has is exactly what it says, however an address is written. */
import { domainToASCII } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainPatternFault, emailDomainOf, isDomainOf } from '../../src/oauth/email-domain.ts';

const runs = { numRuns: 10_000 };
/** Real domains have labels of letters; a few in other scripts, as a person writes them. */
const label = fc.oneof(
  fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/).filter((text) => !/^..--/.test(text)),
  fc.constantFrom('bücher', 'straße', 'пример', '例え', 'xn--bcher-kva'),
);
const domain = fc
  .array(label, { minLength: 2, maxLength: 4 })
  .map((labels) => labels.join('.'))
  .filter((text) => domainPatternFault(text) === undefined);
const local = fc.stringMatching(/^[a-z0-9._+-]{1,12}$/);
const inAnyCase = (text: string) =>
  fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((upper) =>
    // Of ASCII alone: ß in capitals is two letters.
    [...text]
      .map((character, at) => (upper[at] && /[a-z]/.test(character) ? character.toUpperCase() : character))
      .join(''),
  );
const mixed = domain.chain((text) => fc.tuple(fc.constant(text), inAnyCase(text)));
/** Pieces that have fooled somebody's reading of an address. */
const pieces = fc.constantFrom(
  ...['a', 'eve', '@', '@@', '"', '\\', ' ', '\t', '\n', '\0', ',', ';', ':', '<', '>', '(', ')', '[', ']', '.', '..'],
  ...[
    'example.com',
    'evil.example',
    'EXAMPLE.com',
    '*.example.com',
    '%40',
    '\u3002',
    '\uff0e',
    '\uff45xample.com',
    'é',
    'ı',
  ],
  ...['127.0.0.1', '0x7f.1', '[127.0.0.1]', 'xn--', '-', '\u00ad', '\u200b', '\u202e', '\u212a', 'localhost'],
);
const assembled = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));

describe('the domain of an address', () => {
  it('is what stands behind the @, in lower case and ASCII, however it is written', () => {
    fc.assert(
      fc.property(local, mixed, (name, [plain, written]) => {
        expect(emailDomainOf(`${name}@${written}`)).toBe(domainToASCII(plain));
        expect(emailDomainOf(`${name}@${domainToASCII(plain)}`)).toBe(domainToASCII(plain));
      }),
      runs,
    );
  });

  it('is always a plain host name of two labels or more, or none', () => {
    fc.assert(
      fc.property(fc.oneof(assembled, fc.string(), fc.string({ unit: 'grapheme' }), fc.emailAddress()), (address) => {
        const found = emailDomainOf(address);
        if (found === undefined) return;
        expect(found).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
        // One @, and nothing that another reader could take for the end of the name or the beginning of the domain.
        expect(address.split('@')).toHaveLength(2);
        expect(new URL(`https://${found}/`).hostname).toBe(found);
        expect(found).toBe(domainToASCII(address.slice(address.indexOf('@') + 1).toLowerCase()));
      }),
      runs,
    );
  });

  it.each([
    undefined,
    null,
    7,
    {},
    ['a@example.com'],
    '',
    'example.com',
    '@example.com',
    'a@',
    'a@b@example.com',
    '"a@evil.example"@example.com',
    'a@example.com@evil.example',
    'a@example.com ',
    ' a@example.com',
    'a b@example.com',
    'a@example.com\n',
    'a@example.com.',
    'a@.example.com',
    'a@example..com',
    'a@[127.0.0.1]',
    'a@127.0.0.1',
    'a@0x7f.1',
    'a@localhost',
    'a@exam\u00adple.com', // a soft hyphen
    'a@\uff45xample.com', // a full-width e
    'a@example\u3002com', // an ideographic full stop
    'a@\u212aelvin.example', // the Kelvin sign, which is k in lower case
    'a@example.com,b@example.com',
    'Alice <a@example.com>',
    `a@${'x'.repeat(64)}.example`,
    `${'a'.repeat(320)}@example.com`,
  ])('of %j is none', (address) => {
    expect(emailDomainOf(address)).toBeUndefined();
  });
});

describe('a list', () => {
  it('has a domain it names, in any spelling of either, and no other', () => {
    fc.assert(
      fc.property(mixed, domain, ([plain, written], other) => {
        expect(isDomainOf(domainToASCII(plain), written)).toBe(true);
        expect(isDomainOf(domainToASCII(plain), domainToASCII(plain).toUpperCase())).toBe(true);
        expect(isDomainOf(domainToASCII(other), written)).toBe(domainToASCII(other) === domainToASCII(plain));
      }),
      runs,
    );
  });

  it('has with *. everything below, at any depth, and not the domain itself nor one that only ends alike', () => {
    fc.assert(
      fc.property(mixed, label, fc.stringMatching(/^[a-z]{1,6}$/), ([plain, written], below, letters) => {
        const ascii = domainToASCII(plain);
        const pattern = `*.${written}`;
        fc.pre(domainPatternFault(`${below}.${plain}`) === undefined);
        expect(isDomainOf(domainToASCII(`${below}.${plain}`), pattern)).toBe(true);
        expect(isDomainOf(domainToASCII(`${below}.${below}.${plain}`), pattern)).toBe(true);
        expect(isDomainOf(ascii, pattern)).toBe(false);
        expect(isDomainOf(`${letters}${ascii}`, pattern)).toBe(false);
        const after = `${ascii}.${letters}`;
        expect(isDomainOf(after, pattern)).toBe(after.endsWith(`.${ascii}`)); // w.w is below, and before
        expect(isDomainOf(`a.${ascii}`, written)).toBe(false);
      }),
      runs,
    );
  });

  it('of anything at all never has a domain that is not the pattern’s own end', () => {
    fc.assert(
      fc.property(fc.oneof(assembled, fc.string(), domain), domain, (pattern, named) => {
        const ascii = domainToASCII(named);
        if (!isDomainOf(ascii, pattern)) return;
        expect(domainPatternFault(pattern)).toBeUndefined();
        const end = domainToASCII(pattern.replace(/^\*\./, '').toLowerCase());
        expect(ascii === end || ascii.endsWith(`.${end}`)).toBe(true);
      }),
      runs,
    );
  });
});
