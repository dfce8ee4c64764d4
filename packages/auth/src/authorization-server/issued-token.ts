/** Reads an access token that comes back to its issuer (RFC 7009 §2.1, RFC 7662 §2.1), whichever of our resources it is for. */
import { OAuthError, unavailable } from '../oauth/error.ts';
import type { Resource } from '../oauth/resource.ts';
import type { AccessToken } from '../resource-server/access-token.ts';
import { tokenVerifier } from '../resource-server/verifier.ts';
import type { Signer } from '../signers/signer.ts';

export interface IssuedTokenOptions {
  readonly issuer: string;
  readonly resources: readonly Resource[];
  readonly signer: Pick<Signer, 'verificationKey'>;
  readonly now: () => number;
  /** How long after its end a token is still read; 0 unless told: it was this server that wrote `exp`. */
  readonly skewSeconds?: number;
}

/** Undefined: not ours, altered, or past its time. Throws 503 where the keys cannot be read: then nothing is known. */
export type IssuedTokenReader = (token: string) => Promise<AccessToken | undefined>;

export function issuedTokenReader({
  issuer,
  resources,
  signer,
  now,
  skewSeconds = 0,
}: IssuedTokenOptions): IssuedTokenReader {
  const verifiers = new Map(
    resources.map(({ uri }) => [
      uri,
      tokenVerifier({ issuer, resource: uri, keys: signer, now, skewSeconds, cacheSize: 1 }),
    ]),
  );
  return async (token) => {
    const verify = verifiers.get(claimedAudience(token) ?? '');
    if (!verify) return undefined;
    try {
      return await verify(token);
    } catch (error) {
      if (error instanceof OAuthError && error.code === 'invalid_token') return undefined;
      throw error instanceof OAuthError ? error : unavailable('issued_token.keys', error);
    }
  };
}

/** Only picks the verifier, which believes nothing that is not signed. */
function claimedAudience(token: string): string | undefined {
  const [, claims = ''] = token.split('.', 3);
  try {
    const { aud } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { aud?: unknown };
    return typeof aud === 'string' ? aud : undefined;
  } catch {
    return undefined;
  }
}
