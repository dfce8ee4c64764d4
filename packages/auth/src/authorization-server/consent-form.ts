/**
 * The authorization request while a person reads the consent page: it travels in the form, under a MAC that names the
 * browser, so that nobody can forge, alter or plant one and nothing an anonymous caller does is stored (SEC-04, SEC-10).
 */
import type { Keyring } from '../sealing/keyring.ts';

export interface ConsentForm {
  /** Random; what the sign-in's `state` is derived from, so that one form begins one sign-in. */
  readonly id: string;
  readonly clientDigest: string;
  readonly clientName?: string;
  readonly redirectUri: string;
  readonly state?: string;
  readonly scope: readonly string[];
  readonly resource: string;
  readonly codeChallenge: string;
  /** Digest of the binding cookie. */
  readonly browser: string;
  readonly issuedAt: number;
  /** Set where the page offers to remember the consent: here, under the MAC, because only we know who is proven. */
  readonly rememberable?: { readonly documentDigest?: string };
}

/** The longest form: a `state` of 4,096 characters, a redirect URI of 1,024, and base64. */
export const maxConsentFormLength = 16 * 1024;

export function writeConsentForm(keyring: Keyring, form: ConsentForm): string {
  const encoded = Buffer.from(JSON.stringify(form), 'utf8').toString('base64url');
  return `${keyring.currentKeyId}.${encoded}.${keyring.mac('consent', encoded)}`;
}

/** The form and the key it was made with; undefined: not written by us. Age and browser are the endpoint's to judge. */
export function readConsentForm(keyring: Keyring, text: string): { form: ConsentForm; keyId: string } | undefined {
  const match = /^([A-Za-z0-9]{1,16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/.exec(text);
  if (!match) return undefined;
  const [, keyId = '', encoded = '', mac = ''] = match;
  if (!keyring.verifyMac('consent', encoded, mac, keyId)) return undefined;
  return { form: JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as ConsentForm, keyId };
}
