/** The identity provider that a configuration names. */
import {
  type Auth0Options,
  auth0,
  type CognitoOptions,
  cognito,
  type EntraOptions,
  entra,
  type GithubOptions,
  type GoogleOptions,
  github,
  google,
  type IdentityProvider,
  type KeycloakOptions,
  keycloak,
  type OidcOptions,
  type OktaOptions,
  oidc,
  okta,
} from '@mcp-gatehouse/auth';
import { ConfigError } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { withoutUndefined } from './config/without-undefined.ts';

/** Throws a `ConfigError` for what only the preset can judge. */
export function providerFrom(
  config: Config['identityProvider'],
  secret: string | undefined,
  now?: () => number,
): IdentityProvider {
  const { type, clientSecret: _, ...rest } = config;
  // The schema has said what is there; absent and undefined are told apart from here on.
  const given: unknown = { ...withoutUndefined(rest), ...(secret !== undefined && { clientSecret: secret }) };
  try {
    switch (type) {
      case 'cognito':
        return cognito(given as CognitoOptions);
      case 'oidc':
        return oidc(given as OidcOptions);
      case 'google':
        return oidc(google(given as GoogleOptions));
      case 'auth0':
        return oidc(auth0(given as Auth0Options));
      case 'okta':
        return oidc(okta(given as OktaOptions));
      case 'entra':
        return oidc(entra(given as EntraOptions));
      case 'keycloak':
        return oidc(keycloak(given as KeycloakOptions));
      case 'github':
        return github({ ...(given as GithubOptions), ...(now && { now }) });
    }
  } catch (error) {
    // The presets name the option that is wrong.
    if (!(error instanceof TypeError) || !/^[a-zA-Z]+: /.test(error.message)) throw error;
    throw new ConfigError('The configuration', [`identityProvider.${error.message}`]);
  }
}
