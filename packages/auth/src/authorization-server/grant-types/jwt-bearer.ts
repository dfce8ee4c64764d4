/**
 * `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` with an ID-JAG: the organisation's identity provider says that
 * this person may use this client here (RFC 7523 §2.1, draft-ietf-oauth-identity-assertion-authz-grant; MCP extension
 * `io.modelcontextprotocol/enterprise-managed-authorization`).
 */
import type { JsonWebKey } from 'node:crypto';
import { subjectOf } from '../../identity-providers/identity-provider.ts';
import { emailDomainOf } from '../../oauth/email-domain.ts';
import { OAuthError } from '../../oauth/error.ts';
import { type Resource, resourceMatches } from '../../oauth/resource.ts';
import { parseScope } from '../../oauth/scope.ts';
import { type Assertion, assertionFaults, isSignedBy, readAssertion } from '../assertion.ts';
import type { Client } from '../clients/client.ts';
import { admits, type People } from '../people.ts';
import type { SingleUse } from '../single-use.ts';
import type { GrantType } from './grant-type.ts';
import { permittedScope, requestedResource } from './requested-access.ts';

/** For `authorization_grant_profiles_supported` of the metadata. */
export const idJagProfile = 'urn:ietf:params:oauth:grant-profile:id-jag';

/** An identity provider whose word is taken for who may come in. */
export interface AssertionIssuer {
  /** Compared byte for byte with `iss`. */
  readonly issuer: string;
  /** Its public keys; a function is asked with the assertion's `kid`, so that a rotated set is fetched again. */
  readonly keys: { readonly keys: readonly JsonWebKey[] } | NonNullable<Client['keys']>;
}

/** As the operator names one: its keys, or where they are fetched under the rules for addresses that others chose. */
export type TrustedAssertionIssuer = AssertionIssuer | { readonly issuer: string; readonly jwksUri: string };

export interface JwtBearerOptions {
  /** Our own issuer: the only `aud`. */
  readonly issuer: string;
  readonly resources: readonly Resource[];
  readonly assertionIssuers: readonly AssertionIssuer[];
  readonly singleUse: SingleUse;
  /** Judged by user and, where the assertion says `email` and `email_verified`, by its domain; groups are another provider's. */
  readonly people?: People;
}

/** An ID-JAG is fetched to be redeemed at once; this bounds how long its `jti` is remembered. */
const maxLifetimeSeconds = 3600;
const maxResources = 16;

/** Everything wrong with the list; empty: it can be used. */
export function assertionIssuerFaults(list: readonly TrustedAssertionIssuer[]): readonly string[] {
  return list.flatMap((trusted, index) => {
    const { issuer } = trusted;
    const at = `assertionIssuers[${index}]`;
    const faults: string[] = [];
    if (!/^https?:\/\//.test(issuer) || !URL.canParse(issuer)) faults.push(`${at}.issuer: "${issuer}" is no URL`);
    if (list.findIndex((other) => other.issuer === issuer) !== index)
      faults.push(`${at}.issuer: "${issuer}" stands twice`);
    if ('jwksUri' in trusted) {
      const { jwksUri } = trusted;
      if (!/^https:\/\//.test(jwksUri) || !URL.canParse(jwksUri))
        faults.push(`${at}.jwksUri: "${jwksUri}" is no https URL`);
    } else if (typeof trusted.keys !== 'function' && trusted.keys.keys.length === 0) {
      faults.push(`${at}.keys: at least one is needed`);
    }
    return faults;
  });
}

/**
 * No refresh token and no record: the identity provider decides anew every time the access token has expired, which is
 * what an organisation manages it for.
 */
export function jwtBearerGrant(options: JwtBearerOptions): GrantType {
  const { issuer, resources, assertionIssuers, singleUse, people } = options;
  const trusted = new Map(assertionIssuers.map((one) => [one.issuer, one]));
  const rules = { audience: issuer, maxLifetimeSeconds, types: ['oauth-id-jag+jwt'], requireIssuedAt: true };

  return async (client, parameters, now) => {
    // The assertion passes through the client; one that anybody can claim to be cannot be told from a thief.
    if (client.authenticatedBy === 'none') {
      throw new OAuthError('unauthorized_client', 'Only a client that authenticates may use this grant type.', {
        reason: 'id_jag.public_client',
      });
    }
    const text = parameters.get('assertion');
    if (text === undefined) {
      throw new OAuthError('invalid_request', 'assertion is missing.', { reason: 'id_jag.missing' });
    }
    const assertion = readAssertion(text, { ...rules, now });
    if (typeof assertion === 'string') throw refuse(`id_jag.${assertion}`, assertionFaults[assertion]);
    const from = trusted.get(assertion.issuer);
    if (!from) throw refuse('id_jag.issuer_unknown');
    const keys = typeof from.keys === 'function' ? await from.keys(assertion.keyId) : from.keys.keys;
    if (!(await isSignedBy(assertion, keys))) throw refuse('id_jag.signature');

    const { claims } = assertion;
    // Fetched by one client and presented by another: stolen or confused.
    if (claims.client_id !== client.id) throw refuse('id_jag.other_client', 'It was issued to another client.');
    // RFC 7800 §3: it is bound to a key, and we do no DPoP that could prove it.
    if ('cnf' in claims) throw refuse('id_jag.confirmation', 'It is bound to a key, and that is not supported.');
    const resource = requestedResource(parameters.get('resource'), namedResources(claims.resource, resources));
    const limits = [assertedScope(claims.scope), client.scope];
    const scope = permittedScope(parseScope(parameters.get('scope')), resource, limits);
    const identity = { issuer: assertion.issuer, subject: assertion.subject };
    const subject = subjectOf(identity);
    const emailDomain = claims.email_verified === true ? emailDomainOf(claims.email) : undefined;
    if (!admits(people, { subject, emailDomain }))
      throw refuse('people.not_listed', 'This person may not come in here.');
    // Last: a request that is refused for any other reason spends nothing (SEC-02).
    await spend(assertion);
    return {
      authorization: { subject, identity, clientId: client.id, resource: resource.uri, scope },
      replay: false,
    };
  };

  async function spend({ issuer: from, id, expiresAt }: Assertion): Promise<void> {
    if (!(await singleUse.spend('id-jag', from, id, expiresAt))) {
      throw refuse('id_jag.replayed', 'It was already used.');
    }
  }
}

/** The resources that the assertion is for: each of them ours, or it was not made for us. */
function namedResources(claim: unknown, resources: readonly Resource[]): readonly Resource[] {
  const names: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  const found = names
    .slice(0, maxResources)
    .map((name) => resources.find(({ uri }) => typeof name === 'string' && resourceMatches(name, uri)));
  const known = found.filter((resource) => resource !== undefined);
  if (known.length === 0 || known.length < names.length) {
    throw refuse('id_jag.resource', 'Its resource is none of this server.');
  }
  return [...new Set(known)];
}

/** Undefined: the identity provider leaves the scope to us. */
function assertedScope(claim: unknown): readonly string[] | undefined {
  if (claim === undefined) return undefined;
  if (typeof claim !== 'string') throw refuse('id_jag.scope', 'Its scope must be text.');
  return parseScope(claim);
}

function refuse(reason: string, detail = 'It is not one of an identity provider that is trusted here.'): OAuthError {
  return new OAuthError('invalid_grant', `The assertion is not accepted. ${detail}`, { reason });
}
