/** PKCE: RFC 7636 §4 with S256 and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeChallengeOf, isCodeChallenge, isCodeVerifier, verifierMatches } from '../../src/oauth/pkce.ts';

// RFC 7636 appendix B.
const example = {
  verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
};

const verifiers = fc.string({
  unit: fc.constantFrom(...'ABCXYZabcxyz0189-._~'),
  minLength: 43,
  maxLength: 128,
});

describe('code verifier and challenge', () => {
  it('agree on the example of RFC 7636 appendix B', () => {
    expect(codeChallengeOf(example.verifier)).toBe(example.challenge);
    expect(verifierMatches(example.verifier, example.challenge)).toBe(true);
  });

  it.each([
    ['42 characters', 'a'.repeat(42), false],
    ['43 characters', 'a'.repeat(43), true],
    ['128 characters', 'a'.repeat(128), true],
    ['129 characters', 'a'.repeat(129), false],
    ['every unreserved character', `-._~${'A'.repeat(43)}`, true],
    ['a plus', `+${'a'.repeat(43)}`, false],
    ['a slash', `/${'a'.repeat(43)}`, false],
    ['padding', `${'a'.repeat(43)}=`, false],
    ['a space', `${'a'.repeat(43)} `, false],
    ['a line feed at the end', `${'a'.repeat(43)}\n`, false],
    ['a letter outside ASCII', `é${'a'.repeat(43)}`, false],
    ['nothing', '', false],
  ])('a verifier with %s', (_, verifier, good) => {
    expect(isCodeVerifier(verifier)).toBe(good);
    expect(verifierMatches(verifier, codeChallengeOf(verifier))).toBe(good);
  });

  it.each([
    ['43 characters', 'A'.repeat(43), true],
    ['42 characters', 'A'.repeat(42), false],
    ['44 characters', 'A'.repeat(44), false],
    ['padding', `${'A'.repeat(42)}=`, false],
    ['base64 and not base64url', `${'A'.repeat(42)}+`, false],
    ['a line feed at the end', `${'A'.repeat(43)}\n`, false],
    ['nothing', '', false],
  ])('a challenge with %s', (_, challenge, good) => {
    expect(isCodeChallenge(challenge)).toBe(good);
  });

  it('plain is not S256: a challenge is no verifier of itself', () => {
    expect(verifierMatches(example.challenge, example.challenge)).toBe(false);
  });

  it('a challenge of another length is refused and does not throw', () => {
    expect(verifierMatches(example.verifier, '')).toBe(false);
    expect(verifierMatches(example.verifier, `${example.challenge}é`)).toBe(false);
  });

  it('only the verifier itself matches', () => {
    fc.assert(
      fc.property(verifiers, verifiers, (verifier, other) => {
        const challenge = codeChallengeOf(verifier);
        expect(isCodeChallenge(challenge)).toBe(true);
        expect(verifierMatches(verifier, challenge)).toBe(true);
        expect(verifierMatches(other, challenge)).toBe(other === verifier);
      }),
    );
  });
});
