/** Dynamic client registration (RFC 7591 §3): anybody may, nothing is stored, and what came out is echoed. */
import { OAuthError } from '../../oauth/error.ts';
import { type Endpoint, json, noStore } from '../../oauth/http.ts';
import { jsonBody } from '../../oauth/parameters.ts';
import { redirectUriFault } from '../../oauth/redirect-uri.ts';
import type { ClientAuthMethod } from '../clients/client.ts';
import { clientSecret, issueClientId } from '../clients/registered.ts';
import { logName } from '../credential.ts';
import type { Parts } from '../parts.ts';

const maxRedirectUris = 10;
/** All redirect URIs and the name together: they travel in the client id, and that in the authorize URL. */
const maxMetadataBytes = 2048;
const maxNameLength = 200;

const supportedGrantTypes = ['authorization_code', 'refresh_token'];
const authMethods: readonly string[] = ['none', 'client_secret_basic', 'client_secret_post'];

export function register({ keyring, privateUseSchemes, log, now }: Parts): Endpoint {
  return async (request) => {
    const metadata = jsonBody(request);
    const redirectUris = readRedirectUris(metadata.redirect_uris, privateUseSchemes);
    const name = readName(metadata.client_name);
    const grantTypes = readGrantTypes(metadata.grant_types);
    const authMethod = readAuthMethod(metadata.token_endpoint_auth_method);
    readResponseTypes(metadata.response_types);
    if (Buffer.byteLength(JSON.stringify([name, ...redirectUris])) > maxMetadataBytes) {
      throw refuse(`client_name and redirect_uris together may have ${maxMetadataBytes} bytes.`, 'register.too_large');
    }
    const issuedAt = now();
    const clientId = issueClientId(
      keyring,
      { ...(name !== undefined && { name }), redirectUris, grantTypes, authMethod },
      issuedAt,
    );
    log({ event: 'client.registered', client: logName(clientId), authMethod, redirectUris: redirectUris.length });
    const applicationType = metadata.application_type;
    return json(
      201,
      {
        client_id: clientId,
        client_id_issued_at: issuedAt,
        ...(authMethod !== 'none' && { client_secret: clientSecret(keyring, clientId), client_secret_expires_at: 0 }),
        ...(name !== undefined && { client_name: name }),
        redirect_uris: redirectUris,
        grant_types: grantTypes,
        response_types: ['code'],
        token_endpoint_auth_method: authMethod,
        // SEP-837: clients must send it; which URIs a type may have we do not hold against them, VS Code mixes them.
        ...((applicationType === 'native' || applicationType === 'web') && { application_type: applicationType }),
      },
      noStore,
    );
  };
}

function readRedirectUris(value: unknown, privateUseSchemes: readonly string[]): readonly string[] {
  if (!isStrings(value) || value.length === 0) {
    throw refuseRedirect('redirect_uris must be a list of at least one URI.', 'register.redirect_uris');
  }
  if (value.length > maxRedirectUris) {
    throw refuseRedirect(`At most ${maxRedirectUris} redirect_uris can be registered.`, 'register.redirect_uris_many');
  }
  value.forEach((uri, index) => {
    const fault = redirectUriFault(uri, privateUseSchemes);
    if (fault) throw refuseRedirect(`redirect_uris[${index}] ${fault}.`, 'register.redirect_uri');
  });
  return [...new Set(value)];
}

function readName(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw refuse('client_name must be text.', 'register.name');
  if (value.length > maxNameLength) {
    throw refuse(`client_name may have ${maxNameLength} characters.`, 'register.name_long');
  }
  return value.isWellFormed() ? value : value.toWellFormed();
}

/** Unknown grant types are left out, not refused: VS Code lists the device grant, Claude `jwt-bearer`. */
function readGrantTypes(value: unknown): readonly string[] {
  if (value === undefined || value === null) return supportedGrantTypes;
  if (!isStrings(value)) throw refuse('grant_types must be a list of text.', 'register.grant_types');
  const grantTypes = supportedGrantTypes.filter((type) => value.includes(type));
  if (!grantTypes.includes('authorization_code')) {
    throw refuse('grant_types must include authorization_code.', 'register.grant_types_none');
  }
  return grantTypes;
}

function readResponseTypes(value: unknown): void {
  if (value === undefined || value === null) return;
  if (!isStrings(value) || !value.includes('code')) {
    throw refuse('response_types must include code.', 'register.response_types');
  }
}

/** Public unless a client asks for a secret: RFC 7591 §2 names another default, and §3.2.1 lets us set one and say so. */
function readAuthMethod(value: unknown): ClientAuthMethod {
  if (value === undefined || value === null) return 'none';
  if (typeof value !== 'string' || !authMethods.includes(value)) {
    throw refuse(`token_endpoint_auth_method must be one of ${authMethods.join(', ')}.`, 'register.auth_method');
  }
  return value as ClientAuthMethod;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_client_metadata', description, { reason });
}

function refuseRedirect(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', description, { reason });
}
