/**
 * Well-known OpenID providers as options of `oidc`: the form of their issuer, how each gives refresh tokens and groups,
 * and what they do differently from one another. The vendor's page is named where something follows from it.
 */
import { isLoopbackHost } from '../oauth/redirect-uri.ts';
import type { ClaimPath } from './groups.ts';
import type { OidcOptions } from './oidc.ts';

/** What every preset takes; `scope` is asked for beside the preset's own. */
export interface PresetOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: readonly string[];
  /** In the place of the preset's claim. */
  readonly groupsClaim?: ClaimPath;
  /** As in `OidcOptions`. */
  readonly revokes?: boolean;
  /** Shown to people. */
  readonly name?: string;
  /** Seconds for one answer of the provider; 10. */
  readonly timeoutSeconds?: number;
}

export interface GoogleOptions extends PresetOptions {
  /** Only people of this Google Workspace or Cloud Identity domain, such as `example.com`. */
  readonly hostedDomain?: string;
}

/**
 * Google for Developers, "OpenID Connect". `offline_access` is unknown there: `access_type=offline` asks for a refresh
 * token, and only `prompt=consent` brings another one to somebody who has agreed before. Nothing is said of groups; the
 * one membership there is, the Workspace domain (`hd`), stands in their place, so roles can be given to `example.com`.
 */
export function google(options: GoogleOptions): OidcOptions {
  const { hostedDomain } = options;
  if (hostedDomain !== undefined && !isHostName(hostedDomain))
    throw new TypeError(`hostedDomain: "${hostedDomain}" is not a domain such as example.com`);
  return {
    ...shared(options, 'Google', []),
    issuer: 'https://accounts.google.com',
    groupsClaim: options.groupsClaim ?? 'hd',
    emailProof: 'google',
    authorizationParameters: {
      access_type: 'offline',
      prompt: 'consent',
      ...(hostedDomain !== undefined && { hd: hostedDomain }),
    },
    // "hd (hosted domain) parameter": it only streamlines the sign-in, anyone can take it out; the claim is what counts.
    ...(hostedDomain !== undefined && { requiredClaims: { hd: hostedDomain } }),
  };
}

export interface Auth0Options extends PresetOptions {
  /** The tenant's domain or its custom domain, as people see it at sign-in: `example.eu.auth0.com`. */
  readonly domain: string;
}

/**
 * Auth0 Docs. The issuer ends in a slash ("Validate ID Tokens"). `groups` and `roles` cannot be set as claims ("Create
 * Custom Claims"): an Action writes them under a name of your own, `https://example.com/roles`; that is `groupsClaim`.
 * `offline_access` alone brings a refresh token ("Get Refresh Tokens"); where it is rotated, leave an overlap period
 * ("Configure Refresh Token Rotation") above twice `timeoutSeconds`. "Refresh Token Revocation Deletes Grant", on in
 * tenants from before 2021, ends with one session all of the person's: switch it off there, or set `revokes: false`.
 */
export function auth0(options: Auth0Options): OidcOptions {
  const { groupsClaim } = options;
  if (groupsClaim === 'groups' || groupsClaim === 'roles')
    throw new TypeError(
      `groupsClaim: Auth0 never issues "${groupsClaim}"; let an Action set a claim such as https://example.com/roles`,
    );
  return { ...shared(options, 'Auth0', ['offline_access']), issuer: `${originOf('domain', options.domain)}/` };
}

export interface OktaOptions extends PresetOptions {
  /** The org's domain: `example.okta.com`, or a custom one. */
  readonly domain: string;
  /** A custom authorization server, such as `default`; left out: the org authorization server. */
  readonly authorizationServer?: string;
}

/**
 * Okta Developer, "Authorization servers": the org's own issues as `https://{domain}`, a custom one as
 * `https://{domain}/oauth2/{id}`. "Customize tokens returned from Okta with a groups claim": the org's server puts
 * `groups` into the id_token where the application has a groups claim filter and the scope `groups` is asked for; a
 * custom server has no such scope unless one is made, and refuses what it does not know.
 */
export function okta(options: OktaOptions): OidcOptions {
  const { authorizationServer } = options;
  const origin = originOf('domain', options.domain);
  // A copy of the address bar of the console: people take it for the domain, and nobody can sign in there.
  if (/-admin\.(okta|oktapreview|okta-emea)\.com$/.test(origin))
    throw new TypeError(`domain: "${options.domain}" is the admin console; the org's domain is without -admin`);
  if (authorizationServer !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(authorizationServer))
    throw new TypeError(`authorizationServer: "${authorizationServer}" is not an id such as default`);
  return {
    ...shared(options, 'Okta', ['offline_access', ...(authorizationServer === undefined ? ['groups'] : [])], 'basic'),
    issuer: authorizationServer === undefined ? origin : `${origin}/oauth2/${authorizationServer}`,
    groupsClaim: options.groupsClaim ?? 'groups',
  };
}

export interface EntraOptions extends PresetOptions {
  /** The directory (tenant) id: a GUID. */
  readonly tenant: string;
  /** Of a national cloud: `https://login.microsoftonline.us`, `https://login.partner.microsoftonline.cn`. */
  readonly authority?: string;
}

/**
 * Microsoft Entra ID, v2.0 endpoints. `groups` are object ids and come where the app registration has a groups claim
 * ("Configure group claims for applications"); somebody in more than 200 gets none at all in their token, so in a large
 * directory use app roles: `groupsClaim: 'roles'`. A refresh token needs `offline_access` and no prompt: with
 * `prompt=consent` people would ask an administrator every time. There is no revocation endpoint: `end` does nothing.
 */
export function entra(options: EntraOptions): OidcOptions {
  const { tenant, authority = 'https://login.microsoftonline.com' } = options;
  if (['common', 'organizations', 'consumers'].includes(tenant.toLowerCase()))
    // "ID token claims reference": iss names the tenant of the person. Through these endpoints any tenant can be it, so
    // whoever runs a tenant of their own could be anybody's namesake.
    throw new TypeError(
      `tenant: "${tenant}" lets in people of every directory; give the id of yours, a GUID (for personal accounts alone: 9188040d-6c67-4c5b-b112-36a304b66dad)`,
    );
  // A domain name works at the endpoints, but id_tokens are issued by the GUID.
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenant))
    throw new TypeError(`tenant: "${tenant}" is not a directory id, a GUID as on the app registration's overview`);
  return {
    ...shared(options, 'Microsoft', ['profile', 'offline_access']),
    issuer: `${originOf('authority', authority)}/${tenant.toLowerCase()}/v2.0`,
    emailProof: 'entra',
    groupsClaim: options.groupsClaim ?? 'groups',
  };
}

export interface KeycloakOptions extends PresetOptions {
  /** Where Keycloak is: `https://sso.example.com`; before version 17, and with a relative path, `…/auth`. */
  readonly baseUrl: string;
  readonly realm: string;
  /**
   * `groups`, the default: a "Group Membership" mapper with the token claim name `groups` (with full paths they begin
   * with a slash). `realm-roles`: the mapper "realm roles" of the client scope `roles`. Either must add to the ID token.
   */
  readonly groupsFrom?: 'groups' | 'realm-roles';
}

/**
 * Keycloak, "Server Administration Guide". `offline_access` brings an offline token, which outlives the browser's session
 * ("Offline access"); the role `offline_access` is needed, which every user has by default. With "Revoke Refresh Token"
 * on, "Refresh Token Max Reuse" of 1 lets a renewal be asked again whose answer was lost. Its revocation endpoint takes
 * back the person's consent and every session and offline token they have at the client, whichever token it is given
 * (TokenRevocationEndpoint), so nothing is revoked there.
 */
export function keycloak(options: KeycloakOptions): OidcOptions {
  const { baseUrl, realm, groupsFrom = 'groups' } = options;
  if (!/^[A-Za-z0-9._~-]{1,255}$/.test(realm) || /^\.+$/.test(realm))
    throw new TypeError(`realm: "${realm}" is not the name of a realm`);
  const { origin, pathname } = urlOf('baseUrl', baseUrl);
  const claim = groupsFrom === 'groups' ? 'groups' : ['realm_access', 'roles'];
  return {
    ...shared(options, 'Keycloak', ['offline_access']),
    issuer: `${origin}${pathname.replace(/\/+$/, '')}/realms/${realm}`,
    groupsClaim: options.groupsClaim ?? claim,
    revokes: options.revokes ?? false,
  };
}

/**
 * The secret goes in the body unless told: RFC 6749 §2.3.1 wants it form-encoded inside Basic, and Entra does not list
 * Basic at all. Okta's applications are made with Basic.
 */
function shared(
  options: PresetOptions,
  name: string,
  scope: readonly string[],
  authentication: 'basic' | 'post' = 'post',
) {
  const { clientId, clientSecret, groupsClaim, timeoutSeconds, revokes } = options;
  return {
    clientId,
    clientSecret,
    clientAuthentication: authentication,
    scope: ['openid', ...scope, ...(options.scope ?? [])],
    name: options.name ?? name,
    ...(groupsClaim !== undefined && { groupsClaim }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...(revokes !== undefined && { revokes }),
  };
}

/** A host name, or an origin: https, or http on this computer. Without a slash at the end. */
function originOf(option: string, text: string): string {
  const url = urlOf(option, isHostName(text) ? `https://${text}` : text);
  if (url.pathname !== '/') throw new TypeError(`${option}: "${text}" has a path; give the host alone`);
  return url.origin;
}

function urlOf(option: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
  if (!url || !secure || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw new TypeError(`${option}: "${text}" is not an https address such as https://login.example.com`);
  return url;
}

function isHostName(text: string): boolean {
  return (
    text.length <= 253 &&
    /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$/.test(text)
  );
}
