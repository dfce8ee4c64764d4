/** What the authorization server keeps: the closed map of its records. Nothing in it is a usable credential (SEC-08). */
import type { JsonWebKey } from 'node:crypto';
import type { Kinds } from '@mcp-gatehouse/records';
import { auditKinds, type StoredAuditEvent } from '../audit/audit-records.ts';
import type { SigningAlgorithm } from '../signers/signer.ts';
import { type RegisteredClient, registeredClientKinds } from './clients/stored-registration.ts';
import type { Grant } from './grant.ts';
import { type IdentitySession, identitySessionKinds } from './identity-session-record.ts';
import { type PersonSession, type PersonSignIn, personKinds } from './person-session.ts';
import { type RememberedConsent, type Remembering, rememberedConsentKinds } from './remembered-consent.ts';
import { type SpentAssertion, singleUseKinds } from './single-use.ts';

/**
 * What `/authorize` received, from the person's consent until the identity provider sends them back. Its id is the
 * SHA-256 of the `state` we gave the identity provider; PKCE verifier and nonce are derived from that state, not stored.
 */
export interface AuthorizationRequest extends Remembering {
  /** SHA-256 of the client id. */
  readonly clientDigest: string;
  readonly clientName?: string;
  /** As presented: with the port the client listens on now. */
  readonly redirectUri: string;
  /** The client's own `state`, sealed: it proves an answer to the client. */
  readonly sealedState?: string;
  readonly scope: readonly string[];
  readonly resource: string;
  readonly codeChallenge: string;
  /** SHA-256 of the binding cookie: the browser that consented is the browser that returns (SEC-04). */
  readonly browser: string;
  /** The sign-in must be back by then; the record itself lives for as long as its consent form could come again. */
  readonly signInExpiresAt: number;
  /** Which of the keyring's keys derives verifier and nonce. */
  readonly keyId: string;
  /** Set by the callback that was first; the record then only says that the state is spent. */
  readonly usedAt?: number;
}

/** The keys that sign access tokens: public halves in the clear, private halves sealed. */
export interface StoredKeySet {
  /** `kid` of the key that signs. */
  readonly current: string;
  readonly keys: ReadonlyArray<{
    readonly kid: string;
    readonly algorithm: SigningAlgorithm;
    readonly createdAt: number;
    readonly publicKey: JsonWebKey;
    readonly sealedPrivateKey: string;
  }>;
}

/** Secrets of the keyring that a key management service keeps: wrapped, unwrapped at start. */
export interface StoredDataKeys {
  /** How many there have been: no id is given twice, or what an old key made would pass for forged. */
  readonly made: number;
  /** As `secrets`: the first makes new values, all are accepted. */
  readonly keys: ReadonlyArray<{
    readonly id: string;
    /** Of the KMS key that wraps it. */
    readonly keyId: string;
    readonly createdAt: number;
    /** base64 */
    readonly wrapped: string;
  }>;
}

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
export type AuthRecords = {
  grant: Grant;
  authorizationRequest: AuthorizationRequest;
  keySet: StoredKeySet;
  dataKeys: StoredDataKeys;
  spentAssertion: SpentAssertion;
  registeredClient: RegisteredClient;
  personSignIn: PersonSignIn;
  personSession: PersonSession;
  rememberedConsent: RememberedConsent;
  auditEvent: StoredAuditEvent;
  identitySession: IdentitySession;
};

export const authKinds: Kinds<AuthRecords> = {
  grant: { groupOf: (grant) => grant.subject },
  authorizationRequest: {},
  keySet: {},
  dataKeys: {},
  ...singleUseKinds,
  ...registeredClientKinds,
  ...personKinds,
  ...rememberedConsentKinds,
  ...auditKinds,
  ...identitySessionKinds,
};
