/**
 * The authorization endpoint (OAuth 2.1 §4.1.1): checks the request and asks the person, which stores nothing; or goes on
 * where the person's remembered consent stands.
 */
import { randomBytes } from 'node:crypto';
import { NewerRecordError, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { OAuthError } from '../../oauth/error.ts';
import type { Endpoint, HttpRequest } from '../../oauth/http.ts';
import { type Parameters, queryParameters } from '../../oauth/parameters.ts';
import { isCodeChallenge } from '../../oauth/pkce.ts';
import { redirectUriMatches } from '../../oauth/redirect-uri.ts';
import { defaultScopeOf, type Resource, resourceMatches } from '../../oauth/resource.ts';
import { grantableScope, parseScope } from '../../oauth/scope.ts';
import { earlyErrorResponse } from '../authorization-response.ts';
import { signInBeginner } from '../begin-sign-in.ts';
import type { Client } from '../clients/client.ts';
import { provesRedirect } from '../clients/metadata-document.ts';
import { type ConsentForm, writeConsentForm } from '../consent-form.ts';
import { digest, logName } from '../credential.ts';
import { isOwnNavigation } from '../own-navigation.ts';
import { consentPage } from '../pages/consent.ts';
import type { Parts } from '../parts.ts';
import type { AskedConsent, RememberedConsents } from '../remembered-consent.ts';

/** Without `remembered` every request gets the page. */
export function authorize(parts: Parts, remembered?: RememberedConsents): Endpoint {
  const beginSignIn = signInBeginner(parts);
  const { issuer, resources, keyring, paths, log, now, browserCookie, identityProvider, resolveClient } = parts;
  return async (request) => {
    // A request that says something twice does not reliably say where its answer goes: refused on a page, whole.
    const parameters = queryParameters(request);
    // Until both are known good, nobody is sent anywhere (RFC 6749 §4.1.2.1, SEC-03): what is thrown here is a page.
    const client = await knownClient(parameters, resolveClient);
    const redirectUri = knownRedirectUri(parameters, client);
    // Here too: ids that were issued, and documents that were published, before the list was made.
    if (client.source !== 'configured' && !parts.allowsRedirect(redirectUri)) {
      throw new OAuthError('invalid_request', 'This server sends nobody to the address the answer would go to.', {
        reason: 'authorize.redirect_host',
      });
    }
    const state = parameters.get('state');
    try {
      // RFC 6749 app. A.5: visible ASCII and spaces. What else a client keeps in it, it can encode.
      if (state !== undefined && !/^[\x20-\x7e]+$/.test(state)) {
        throw new OAuthError('invalid_request', 'state may hold visible ASCII characters and spaces only.', {
          reason: 'authorize.state',
        });
      }
      const codeChallenge = checkedChallenge(parameters);
      const resource = requestedResource(parameters, resources);
      const scope = grantableScope(
        parseScope(parameters.get('scope')),
        Object.keys(resource.scopes).filter((token) => client.scope?.includes(token) ?? true),
        defaultScopeOf(resource).filter((token) => client.scope?.includes(token) ?? true),
      );
      if (scope.length === 0) {
        throw new OAuthError('invalid_scope', 'The application may have no scope of this resource.', {
          reason: 'authorize.scope_none',
        });
      }
      const proven = isProven(client, redirectUri);
      const rememberable = remembered?.offers(client, redirectUri, proven) ?? false;
      const { documentDigest } = client;
      const browser = browserCookie.recognise(request);
      const form: ConsentForm = {
        id: randomBytes(16).toString('base64url'),
        clientDigest: digest(client.id),
        ...(client.name !== undefined && { clientName: client.name }),
        redirectUri,
        ...(state !== undefined && { state }),
        scope,
        resource: resource.uri,
        codeChallenge,
        browser: browser.digest,
        issuedAt: now(),
        ...(rememberable && { rememberable: documentDigest === undefined ? {} : { documentDigest } }),
      };
      const found =
        rememberable && goesUnasked(parameters) && isOwnNavigation(request, client, redirectUri)
          ? await find(request, { ...form, documentDigest })
          : undefined;
      if (found && typeof found === 'object') {
        return await beginSignIn({
          form,
          keyId: keyring.currentKeyId,
          repeatableUntil: form.issuedAt,
          event: 'consent.remembered',
          remembered: { ...found, ...form.rememberable, clientId: client.id },
          setCookie: browser.setCookie,
        });
      }
      log({
        event: 'consent.asked',
        client: logName(client.id),
        resource: resource.uri,
        scope: scope.join(' '),
        ...(found !== undefined && { reason: found }),
      });
      return consentPage({
        client,
        proven,
        logo: await client.fetchLogo?.(),
        redirectUri,
        resource,
        scope,
        identityProviderName: identityProvider.name,
        form: writeConsentForm(keyring, form),
        rememberDays: rememberable ? remembered?.days : undefined,
        action: paths.consent,
        cookie: browser.setCookie,
      });
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      log({ event: 'authorize.refused', reason: error.reason, client: logName(client.id) });
      return earlyErrorResponse(issuer, { redirectUri, state }, error, {
        proven: isProven(client, redirectUri),
      });
    }
  };

  /** A database that is away is no reason to show nobody anything: the page needs none. */
  async function find(request: HttpRequest, asked: AskedConsent) {
    try {
      return await remembered?.find(request, asked);
    } catch (error) {
      if (error instanceof RecordsUnavailableError || error instanceof NewerRecordError)
        return 'records.unavailable' as const;
      throw error;
    }
  }
}

/**
 * `prompt` (OpenID Connect Core §3.1.2.1) is none of our parameters; a client that asks for a page or a sign-in with it gets
 * the page, though. `none` is ignored: it promises that nobody is shown anything, and the identity provider may.
 */
function goesUnasked(parameters: Parameters): boolean {
  return (parameters.get('prompt') ?? 'none') === 'none';
}

/** A metadata document vouches for its own origin only; other clients are vouched for whole, or not. */
function isProven(client: Client, redirectUri: string): boolean {
  return client.source === 'metadata-document' ? provesRedirect(client, redirectUri) : client.proven;
}

async function knownClient(parameters: Parameters, resolve: Parts['resolveClient']): Promise<Client> {
  const clientId = parameters.get('client_id');
  if (clientId === undefined) {
    throw new OAuthError('invalid_request', 'The application did not say which one it is (client_id).', {
      reason: 'authorize.client_missing',
    });
  }
  const client = await resolve(clientId);
  if (!client) {
    throw new OAuthError('invalid_client', 'This server does not know the application; it has to register again.', {
      status: 400,
      reason: 'authorize.client_unknown',
    });
  }
  return client;
}

/** The presented URI itself, with its port, is what is shown, stored and compared from here on. */
function knownRedirectUri(parameters: Parameters, client: Client): string {
  const presented = parameters.get('redirect_uri');
  if (presented === undefined) {
    // OAuth 2.1 §4.1.1: it may be left out only where there is no choice.
    const [only, ...others] = client.redirectUris;
    if (only !== undefined && others.length === 0) return only;
    throw new OAuthError('invalid_request', 'The application did not say where the answer goes (redirect_uri).', {
      reason: 'authorize.redirect_uri_missing',
    });
  }
  if (!client.redirectUris.some((registered) => redirectUriMatches(presented, registered))) {
    throw new OAuthError(
      'invalid_request',
      'The address the answer would go to is not one the application registered.',
      {
        reason: 'authorize.redirect_uri_unregistered',
      },
    );
  }
  return presented;
}

function checkedChallenge(parameters: Parameters): string {
  const responseType = parameters.get('response_type');
  if (responseType !== 'code') {
    throw responseType === undefined
      ? new OAuthError('invalid_request', 'response_type is missing; use code.', { reason: 'authorize.response_type' })
      : new OAuthError('unsupported_response_type', 'The only response_type is code.', {
          reason: 'authorize.response_type',
        });
  }
  const mode = parameters.get('response_mode');
  if (mode !== undefined && mode !== 'query') {
    throw new OAuthError('invalid_request', 'The only response_mode is query.', { reason: 'authorize.response_mode' });
  }
  const challenge = parameters.get('code_challenge');
  if (challenge === undefined) {
    throw new OAuthError('invalid_request', 'PKCE is required: send code_challenge with code_challenge_method=S256.', {
      reason: 'authorize.challenge_missing',
    });
  }
  // RFC 7636 §4.3: a missing method means plain, and plain is not accepted (OAuth 2.1 §7.5.2).
  if (parameters.get('code_challenge_method') !== 'S256') {
    throw new OAuthError('invalid_request', 'The only code_challenge_method is S256.', {
      reason: 'authorize.challenge_method',
    });
  }
  if (!isCodeChallenge(challenge)) {
    throw new OAuthError('invalid_request', 'code_challenge is not the base64url of a SHA-256.', {
      reason: 'authorize.challenge_form',
    });
  }
  return challenge;
}

/** RFC 8707 §2; without the parameter (clients before 2025-06-18) there must be one resource to mean. */
function requestedResource(parameters: Parameters, resources: readonly Resource[]): Resource {
  const presented = parameters.get('resource');
  const [only, ...others] = resources;
  if (presented === undefined) {
    if (only !== undefined && others.length === 0) return only;
    throw new OAuthError('invalid_target', 'Say which resource the token is for (resource).', {
      reason: 'authorize.resource_missing',
    });
  }
  const found = resources.find((resource) => resourceMatches(presented, resource.uri));
  if (!found) {
    throw new OAuthError('invalid_target', 'This server issues no tokens for that resource.', {
      reason: 'authorize.resource_unknown',
    });
  }
  return found;
}
