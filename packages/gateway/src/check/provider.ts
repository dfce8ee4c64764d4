/**
 * Whether the identity provider is the one that is configured and takes us for its client: its discovery document
 * (OpenID Connect Discovery §4.3), the authorization request that people will be sent with, and our own credentials at
 * its token endpoint, tried with a code that is none.
 */
import { randomBytes } from 'node:crypto';
import {
  type Auth0Options,
  auth0,
  type EntraOptions,
  entra,
  google,
  type IdentityProvider,
  IdentityProviderError,
  type KeycloakOptions,
  keycloak,
  type OktaOptions,
  okta,
} from '@mcp-gatehouse/auth';
import type { Config } from '../config/schema.ts';
import { type Answer, ask } from './ask.ts';
import { type Check, type Finding, whyNot } from './finding.ts';

const name = 'identity provider';

export function providerCheck(
  config: Config['identityProvider'],
  provider: IdentityProvider,
  redirectUri: string,
): Check {
  return {
    name,
    async run(signal) {
      const issuer = issuerOf(config);
      const found = issuer === undefined ? { findings: [] } : await discovery(config, issuer, signal);
      if (found.findings.some(({ outcome }) => outcome === 'fault')) return found.findings;
      const client = await Promise.all([
        signInPage(provider, redirectUri, signal),
        credentials(provider, redirectUri, found.answersWithIssuer ? issuer : undefined),
      ]);
      return [...found.findings, ...client.flat()];
    },
  };
}

/** As the provider's id_tokens must say it; undefined: it has none (GitHub). */
export function issuerOf(config: Config['identityProvider']): string | undefined {
  const given: unknown = { ...config, clientSecret: '' };
  switch (config.type) {
    case 'oidc':
      return config.issuer;
    case 'cognito': {
      const { userPoolId, issuerForm, issuerOrigin } = config;
      const host = `${issuerForm === 'updated' ? 'issuer-' : ''}cognito-idp.${userPoolId.split('_', 1)[0]}.amazonaws.com`;
      return `${(issuerOrigin ?? `https://${host}`).replace(/\/$/, '')}/${userPoolId}`;
    }
    case 'google':
      return google({ clientId: '', clientSecret: '' }).issuer;
    case 'auth0':
      return auth0(given as Auth0Options).issuer;
    case 'okta':
      return okta(given as OktaOptions).issuer;
    case 'entra':
      return entra(given as EntraOptions).issuer;
    case 'keycloak':
      return keycloak(given as KeycloakOptions).issuer;
    case 'github':
      return undefined;
  }
}

interface Discovered {
  readonly findings: readonly Finding[];
  /** It names itself in its answers (RFC 9207), and so must the answer that we make up. */
  readonly answersWithIssuer?: boolean;
}

async function discovery(config: Config['identityProvider'], issuer: string, signal: AbortSignal): Promise<Discovered> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await ask({ url, signal }).catch((error: unknown) => ({ error }));
  if ('error' in answer) {
    const { says, cure } = whyNot(answer.error);
    return { findings: [fault(`${new URL(url).host}: ${says}`, cure ?? settingOf(config))] };
  }
  const { json: document } = answer;
  if (answer.status !== 200 || !document) {
    const what = answer.status === 200 ? 'is no JSON' : `answers ${answer.status}`;
    return { findings: [fault(`its document ${url} ${what}`, settingOf(config))] };
  }
  if (document.issuer !== issuer) {
    return {
      findings: [
        fault(
          `it calls itself ${text(document.issuer)}, the configuration ${issuer}`,
          sameIssuer(config, document.issuer),
        ),
      ],
    };
  }
  const missing = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'].filter(
    (one) => typeof document[one] !== 'string' || !URL.canParse(document[one]),
  );
  if (missing.length > 0) return { findings: [fault(`its document lacks ${missing.join(', ')}`, settingOf(config))] };
  return {
    findings: [
      ok(`${issuer} answers, and calls itself so (${answer.milliseconds} ms)`),
      ...(await keys(String(document.jwks_uri), signal)),
      ...pkce(document.code_challenge_methods_supported),
      ...domain(config, String(document.authorization_endpoint)),
      ...clock(answer),
    ],
    answersWithIssuer: document.authorization_response_iss_parameter_supported === true,
  };
}

async function keys(url: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const answer = await ask({ url, signal }).catch((error: unknown) => ({ error }));
  if ('error' in answer) return [fault(`its keys at ${url}: ${whyNot(answer.error).says}`, whyNot(answer.error).cure)];
  const found = answer.json?.keys;
  if (answer.status === 200 && Array.isArray(found) && found.length > 0) return [];
  return [
    fault(`its keys at ${url}: status ${answer.status}, and no key`, 'nobody can be signed in before it publishes one'),
  ];
}

function pkce(methods: unknown): readonly Finding[] {
  if (!Array.isArray(methods) || methods.includes('S256')) return [];
  return [
    warning('it does not name PKCE with S256 among what it supports (RFC 7636)', 'switch PKCE on for our client'),
  ];
}

/** A pool may have two domains; but a typo in the one that is configured shows here. */
function domain(config: Config['identityProvider'], endpoint: string): readonly Finding[] {
  if (config.type !== 'cognito' || new URL(endpoint).origin === new URL(config.domain).origin) return [];
  return [
    warning(
      `the user pool names ${new URL(endpoint).origin} as its domain, the configuration ${config.domain}`,
      'see that identityProvider.domain is of this user pool',
    ),
  ];
}

/** id_tokens are judged by our clock. */
function clock({ headers }: Answer): readonly Finding[] {
  const said = Date.parse(String(headers.date ?? ''));
  const seconds = Math.round((Date.now() - said) / 1000);
  if (Number.isNaN(said) || Math.abs(seconds) < 30) return [];
  const way = seconds > 0 ? 'ahead of' : 'behind';
  return [warning(`this computer’s clock is ${Math.abs(seconds)} seconds ${way} the provider’s`, 'set it by NTP')];
}

/** The very request that people will be sent with, and no further. */
async function signInPage(
  provider: IdentityProvider,
  redirectUri: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const url = await provider.start(binding(), redirectUri);
  const answer = await ask({ url, signal, headers: { accept: 'text/html' } }).catch((error: unknown) => ({ error }));
  if ('error' in answer) return [fault(`its sign-in page: ${whyNot(answer.error).says}`, whyNot(answer.error).cure)];
  const location = String(answer.headers.location ?? '');
  const error = URL.canParse(location, url) ? new URL(location, url).searchParams.get('error') : null;
  const refused = error !== null || /\/error([/?]|$)/.test(location);
  if (answer.status < 400 && !refused) return [ok('its sign-in page takes our client and redirect URI')];
  const why = error === null ? `status ${answer.status}` : `error=${text(error)}`;
  return [
    fault(
      `its sign-in page refuses our request (${why})`,
      `register ${redirectUri} there, and compare clientId and scope`,
    ),
  ];
}

/** Refused it is in any case: by what, says whether it knew us. */
async function credentials(
  provider: IdentityProvider,
  redirectUri: string,
  issuer: string | undefined,
): Promise<readonly Finding[]> {
  const bound = binding();
  const query = new URLSearchParams({ code: 'gatehouse-check', state: bound.state, ...(issuer && { iss: issuer }) });
  const refusal: unknown = await provider.finish(query, bound, redirectUri).catch((error: unknown) => error);
  const reason = refusal instanceof IdentityProviderError ? refusal.reason : '';
  if (/\.(invalid_grant|bad_verification_code)$/.test(reason)) return [ok('it takes our client id and secret')];
  if (/\.(invalid_client|unauthorized_client|incorrect_client_credentials|credentials_refused)$/.test(reason)) {
    return [
      fault(
        `it refuses our client id or secret (${reason})`,
        'compare identityProvider.clientId and clientSecret with what it shows for our client',
      ),
    ];
  }
  if (/\.redirect_uri_mismatch$/.test(reason)) {
    return [fault('it does not know our redirect URI', `register ${redirectUri} there`)];
  }
  return [warning(`whether it takes our client id and secret could not be found out (${reason || String(refusal)})`)];
}

function binding() {
  return {
    state: randomBytes(16).toString('base64url'),
    nonce: randomBytes(16).toString('base64url'),
    codeVerifier: randomBytes(32).toString('base64url'),
  };
}

function settingOf({ type }: Config['identityProvider']): string {
  const setting = {
    cognito: 'userPoolId (and issuerOrigin)',
    oidc: 'issuer',
    google: 'type',
    auth0: 'domain',
    okta: 'domain and authorizationServer',
    entra: 'tenant',
    keycloak: 'baseUrl and realm',
    github: 'baseUrl',
  }[type];
  return `see that identityProvider.${setting} is right, and that it can be reached from this computer`;
}

function sameIssuer(config: Config['identityProvider'], said: unknown): string {
  if (config.type === 'oidc') return `write identityProvider.issuer: ${text(said)}, to the last slash`;
  if (config.type === 'cognito' && config.issuerOrigin === undefined) {
    return `write identityProvider.issuerForm: ${config.issuerForm === 'updated' ? 'original' : 'updated'}`;
  }
  return settingOf(config);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200) : 'nothing';
}

function ok(says: string): Finding {
  return { check: name, outcome: 'ok', says };
}

function warning(says: string, cure?: string): Finding {
  return { check: name, outcome: 'warning', says, ...(cure !== undefined && { cure }) };
}

function fault(says: string, cure?: string): Finding {
  return { check: name, outcome: 'fault', says, ...(cure !== undefined && { cure }) };
}
