/** What is known of well-known issuers, so that nobody has to find out: Amazon Cognito, Auth0, and whoever follows RFC 9068. */
import type { RoleRules } from '../require.ts';
import type { ForeignIssuer } from './issuer.ts';

export interface CognitoIssuerOptions {
  /** As in the console: `eu-central-1_AbCdEf123`. The region is its first part. */
  readonly userPoolId: string;
  /** The app clients whose tokens count: any client of the pool could get one otherwise. */
  readonly clientIds: readonly string[];
  readonly resource: string;
  /** `updated`: the pool issues as `https://issuer-cognito-idp.<region>…` (IssuerConfiguration.Type UPDATED). */
  readonly issuerForm?: 'original' | 'updated';
  /** For a pool that is not Amazon's: the origin its issuer starts with, such as `http://localhost:8081`. */
  readonly issuerOrigin?: string;
  /** The resource server's identifier and a slash: Cognito's scopes are `<identifier>/<name>`. */
  readonly scopePrefix?: string;
  readonly roleRules?: RoleRules;
}

/**
 * Cognito's access tokens say `client_id` and `token_use` and have no `typ`; an `aud` only where the request named a
 * resource.
 */
export function cognitoIssuer(options: CognitoIssuerOptions): ForeignIssuer {
  const { userPoolId, clientIds, resource, issuerForm = 'original', scopePrefix, roleRules } = options;
  const region = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[A-Za-z0-9]{1,55}$/.exec(userPoolId)?.[1];
  if (region === undefined) {
    throw new TypeError(`userPoolId: "${userPoolId}" is not of the form eu-central-1_AbCdEf123`);
  }
  const host = issuerForm === 'updated' ? 'issuer-cognito-idp' : 'cognito-idp';
  const issuer = `${options.issuerOrigin ?? `https://${host}.${region}.amazonaws.com`}/${userPoolId}`;
  return {
    issuer,
    resource,
    clientIds,
    jwksUri: `${issuer}/.well-known/jwks.json`,
    algorithms: ['RS256'],
    tokenType: 'jwt',
    permissionsFrom: 'cognito:groups',
    ...(scopePrefix !== undefined && { scopePrefix }),
    ...(roleRules && { roleRules }),
  };
}

export interface Auth0IssuerOptions {
  /** The tenant's or a custom domain: `example.eu.auth0.com`. */
  readonly domain: string;
  /** The API's identifier. */
  readonly audience: string;
  /** Our resource; the audience unless told. */
  readonly resource?: string;
  /** The applications whose tokens count (`azp`); all of the tenant's unless told. */
  readonly clientIds?: readonly string[];
  /** For a tenant that is not Auth0's: its origin, such as `http://localhost:8082`. */
  readonly issuerOrigin?: string;
}

/** Auth0's issuer ends with a slash, its tokens say `JWT` unless the API uses the RFC 9068 profile: both are taken. */
export function auth0Issuer({
  domain,
  audience,
  resource,
  clientIds,
  issuerOrigin,
}: Auth0IssuerOptions): ForeignIssuer {
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(domain)) throw new TypeError(`domain: "${domain}" is not a host name`);
  const origin = issuerOrigin ?? `https://${domain.toLowerCase()}`;
  return {
    issuer: `${origin}/`,
    resource: resource ?? audience,
    audience,
    jwksUri: `${origin}/.well-known/jwks.json`,
    algorithms: ['RS256'],
    tokenType: 'jwt',
    permissionsFrom: 'permissions',
    ...(clientIds && { clientIds }),
  };
}

export interface OidcIssuerOptions {
  /** Exactly as in the discovery document, which says where the keys are. */
  readonly issuer: string;
  readonly audience: string;
  /** Our resource; the audience unless told. */
  readonly resource?: string;
  readonly clientIds?: readonly string[];
}

/** An issuer of RFC 9068 access tokens that publishes OpenID Connect discovery. */
export function oidcIssuer({ issuer, audience, resource, clientIds }: OidcIssuerOptions): ForeignIssuer {
  return { issuer, audience, resource: resource ?? audience, ...(clientIds && { clientIds }) };
}
