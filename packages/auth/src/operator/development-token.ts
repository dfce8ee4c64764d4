/** An access token for trying things out, made by whoever holds the house's secrets and signed as every other (RFC 9068). */
import type { Records } from '@mcp-gatehouse/records';
import { logName } from '../authorization-server/credential.ts';
import type { Log } from '../authorization-server/parts.ts';
import type { AuthRecords } from '../authorization-server/records.ts';
import { issueAccessToken } from '../authorization-server/token-issuer.ts';
import type { SigningAlgorithm } from '../oauth/jws.ts';
import { defaultScopeOf, type Resource, resourceMatches } from '../oauth/resource.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { localSigner } from '../signers/local.ts';
import type { Signer } from '../signers/signer.ts';
import { isSubject } from './grants.ts';

export interface DevelopmentTokenOptions {
  readonly records: Records<AuthRecords>;
  /** That of the gateways. */
  readonly keyring: Keyring;
  readonly resources: readonly Resource[];
  /** As the gateway's: the algorithm of the first key where there is none yet, or a signer such as `kmsSigner`. */
  readonly signing?: SigningAlgorithm | Signer;
  readonly log: Log;
  /** Seconds since the epoch. */
  readonly now: number;
}

export interface DevelopmentTokenRequest {
  /** URI of one of the resources; may be left out where there is but one. */
  readonly resource?: string;
  /** The resource's least unless given. */
  readonly scope?: readonly string[];
  /** Whose token it is; `development` unless given. A person's own `sub` makes it that person's. */
  readonly subject?: string;
  /** 1 to 3600; 900 unless given. */
  readonly seconds?: number;
  readonly roles?: readonly string[];
  readonly permissions?: readonly string[];
}

export type DevelopmentToken =
  | {
      readonly outcome: 'issued';
      readonly accessToken: string;
      readonly resource: string;
      readonly subject: string;
      readonly scope: readonly string[];
      /** Seconds since the epoch. Nothing ends it before, but `gatehouse keys revoke`. */
      readonly expiresAt: number;
    }
  /** What is wrong with the request, each with the name it stands under. */
  | { readonly outcome: 'refused'; readonly faults: readonly string[] };

/** `client_id` of these tokens: a log tells them apart by it, and so may a target. */
export const developmentClientId = 'gatehouse-development';

const longestSeconds = 3600;
const defaultSubject = 'development';
const maxNames = 100;
/** Characters of the names of roles, and of permissions, in the event. */
const maxLogged = 500;

/** Throws `KeySetSealedError` if the keyring is not that of the gateways, and what records throw. */
export async function issueDevelopmentToken(
  options: DevelopmentTokenOptions,
  request: DevelopmentTokenRequest,
): Promise<DevelopmentToken> {
  const { records, keyring, resources, signing = 'ES256', log, now } = options;
  const { subject = defaultSubject, seconds = 900, roles, permissions } = request;
  const resource = resourceOf(resources, request.resource);
  const scope = [...new Set(request.scope ?? (resource ? defaultScopeOf(resource) : []))];
  const faults = [
    ...(resource ? [] : [`resource: give one of ${resources.map(({ uri }) => uri).join(', ')}`]),
    ...scope
      .filter((one) => resource && !Object.hasOwn(resource.scopes, one))
      .map((one) => `scope: "${one}" is none of ${Object.keys(resource?.scopes ?? {}).join(', ')}`),
    ...(/^[\x21-\x7e]{1,255}$/.test(subject) ? [] : ['subject: give 1 to 255 visible ASCII characters']),
    ...(Number.isInteger(seconds) && seconds >= 1 && seconds <= longestSeconds
      ? []
      : [`seconds: must be a whole number from 1 to ${longestSeconds}`]),
    ...namesFaults('roles', roles),
    ...namesFaults('permissions', permissions),
  ];
  if (!resource || faults.length > 0) return { outcome: 'refused', faults };
  const signer =
    typeof signing === 'string' ? localSigner({ records, keyring, now: () => now, algorithm: signing }) : signing;
  const { issuer } = keyring;
  const accessToken = await issueAccessToken(
    { issuer, signer, accessTokenSeconds: seconds },
    {
      subject,
      clientId: developmentClientId,
      resource: resource.uri,
      scope,
      ...(roles && { roles }),
      ...(permissions && { permissions }),
    },
    now,
  );
  log({
    event: 'token.development',
    resource: resource.uri,
    scope: scope.join(' '),
    // A person as everywhere in the log, so that what was done in their name is found; other text may be an address.
    ...(isSubject(subject) ? { person: subject.slice(0, 8) } : { subject: logName(subject) }),
    // What it may do beyond its scope: a role of its own making is the most that it can take.
    ...(roles && roles.length > 0 && { roles: roles.join(' ').slice(0, maxLogged) }),
    ...(permissions && permissions.length > 0 && { permissions: permissions.join(' ').slice(0, maxLogged) }),
    seconds,
  });
  return { outcome: 'issued', accessToken, resource: resource.uri, subject, scope, expiresAt: now + seconds };
}

function resourceOf(resources: readonly Resource[], asked: string | undefined): Resource | undefined {
  if (asked === undefined) return resources.length === 1 ? resources[0] : undefined;
  return resources.find(({ uri }) => resourceMatches(asked, uri));
}

function namesFaults(at: string, names: readonly string[] = []): readonly string[] {
  const wrong = names.length > maxNames || names.some((name) => name === '' || name.length > 256);
  return wrong ? [`${at}: at most ${maxNames} names of 1 to 256 characters`] : [];
}
