/** Whether a provider says that an e-mail address is the person's own, which each does in its own way. Of the address the domain is kept. */
import { emailDomainOf } from '../oauth/email-domain.ts';

/**
 * What has to be there beside `email`:
 * - `email_verified`, the default: that claim, the boolean true (OpenID Connect Core §5.1). A text is no answer: "false" is one.
 * - `cognito`: the same, and the text "true", which Cognito's userInfo endpoint sends ("UserInfo endpoint", example response).
 * - `google`: the same as the default, and Google must be authoritative for the address: one of Gmail, or of a Workspace
 *   account (`hd`). For others it was verified once, and may have changed hands ("Verify the Google ID token").
 * - `entra`: `xms_edov`, an optional claim to be added to the app registration beside `email`, says that the owner of the
 *   domain was verified ("Optional claims reference"). Entra has no `email_verified`, and without this claim its `email` is
 *   whatever an administrator wrote ("Migrate away from using email claims").
 */
export type EmailProof = 'email_verified' | 'cognito' | 'google' | 'entra';

/** ASCII, lower case; null: there is an address, and nobody says that it is theirs; undefined: nothing is said of any. */
export function verifiedEmailDomain(
  claims: Readonly<Record<string, unknown>>,
  proof: EmailProof = 'email_verified',
): string | null | undefined {
  const { email } = claims;
  if (email === undefined) return undefined;
  const domain = emailDomainOf(email);
  return domain !== undefined && isProven(claims, domain, proof) ? domain : null;
}

function isProven(claims: Readonly<Record<string, unknown>>, domain: string, proof: EmailProof): boolean {
  const { email_verified: verified, xms_edov: ownerVerified, hd } = claims;
  if (proof === 'entra') return ([true, 1, '1', 'true'] as readonly unknown[]).includes(ownerVerified);
  if (proof === 'cognito') return verified === true || verified === 'true';
  if (verified !== true) return false;
  return (
    proof !== 'google' || (typeof hd === 'string' && hd !== '') || ['gmail.com', 'googlemail.com'].includes(domain)
  );
}
