/**
 * What it takes to ask a provider about a person again, as text: its tokens, and whose they are. The issuer is there so
 * that a token never goes to another provider than the one that made it, whatever the configuration says by then.
 */
import { IdentityProviderError } from './identity-provider.ts';

/** Far above every provider's (Cognito's and Entra's stay below 4 kB), far below what a database row holds. */
const maxTokenLength = 16_384;

/** Tokens are printable (RFC 6749 App. A.12, A.17), and these go into a header. */
export const isToken = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= maxTokenLength && /^[\x20-\x7e]+$/.test(value);

export type SessionFields = Readonly<Record<string, string>>;

/** Throws `idp.token_unusable` for one that cannot be kept. */
export function providerSession(issuer: string, fields: SessionFields): string {
  if (!Object.values(fields).every(isToken))
    throw new IdentityProviderError('idp.token_unusable', { transient: false });
  return JSON.stringify({ issuer, ...fields });
}

/**
 * Only what it is asked for is there, as text; `needed` is never missing. What another provider or another version wrote
 * says nothing about the person, so it is no "no": transient, like every wrong configuration.
 */
export function readProviderSession(session: string, issuer: string, needed: readonly string[]): SessionFields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(session);
  } catch {
    // its error would quote the text
  }
  const fields = new Map(Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {}));
  if (![...fields.values(), session].every((value) => typeof value === 'string'))
    throw new IdentityProviderError('idp.session.unreadable', { transient: true });
  if (['issuer', ...needed].some((name) => !isToken(fields.get(name))))
    throw new IdentityProviderError('idp.session.unreadable', { transient: true });
  if (fields.get('issuer') !== issuer) throw new IdentityProviderError('idp.session.other_issuer', { transient: true });
  return Object.fromEntries(fields) as SessionFields;
}
