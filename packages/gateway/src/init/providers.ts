/** What `gatehouse init` asks about each identity provider, and where in its console our redirect URI is entered. */
import type { ConfigInput } from '../config/schema.ts';

export type ProviderType = ConfigInput['identityProvider']['type'] | 'local';

export interface Field {
  /** As the configuration names it. */
  readonly setting: string;
  readonly flag: string;
  readonly asks: string;
  /** Of the right form, for whom sees an empty line. */
  readonly example: string;
  /** The comment above it in the configuration. */
  readonly says: string;
}

export interface ProviderForm {
  readonly label: string;
  readonly hint: string;
  readonly fields: readonly Field[];
  /** Whether our client there has a secret; `either`: there are clients without one. */
  readonly secret: 'needed' | 'either' | 'none';
  /** The way through its console. */
  readonly register: string;
  /** Settings that are switched off, each with its comment. */
  readonly further: ReadonlyArray<readonly [says: string, setting: string]>;
}

const clientId = (example: string): Field => ({
  setting: 'clientId',
  flag: 'client-id',
  asks: 'Client id of Gatehouse at the provider',
  example,
  says: 'Our client at the provider.',
});

const name: ProviderForm['further'][number] = ['What people call the sign-in.', 'name: Example Inc.'];

export const providerForms: Readonly<Record<ProviderType, ProviderForm>> = {
  cognito: {
    label: 'Amazon Cognito',
    hint: 'a user pool with managed login',
    fields: [
      {
        setting: 'userPoolId',
        flag: 'user-pool-id',
        asks: 'User pool id',
        example: 'eu-central-1_AbCdEf123',
        says: 'The user pool; its region is the first part.',
      },
      {
        setting: 'domain',
        flag: 'domain',
        asks: 'Domain of the user pool',
        example: 'https://login.example.com',
        says: 'Where people sign in: the user pool’s domain.',
      },
      clientId('1h57kf5cpq17m0eml12EXAMPLE'),
    ],
    secret: 'either',
    register: 'Amazon Cognito › your user pool › App clients › your client › Login pages › Allowed callback URLs',
    further: [
      ['Further scopes of the app client.', 'scope: [email]'],
      ['Pools that issue as issuer-cognito-idp… use the form `updated`.', 'issuerForm: original'],
      name,
    ],
  },
  google: {
    label: 'Google',
    hint: 'Google accounts, or one Workspace domain',
    fields: [clientId('1234567890-example.apps.googleusercontent.com')],
    secret: 'needed',
    register: 'Google Cloud console › Google Auth Platform › Clients › your web client › Authorized redirect URIs',
    further: [['Only people of this Workspace domain.', 'hostedDomain: example.com'], name],
  },
  auth0: {
    label: 'Auth0',
    hint: 'a Regular Web Application',
    fields: [
      {
        setting: 'domain',
        flag: 'domain',
        asks: 'Domain of the tenant',
        example: 'example.eu.auth0.com',
        says: 'The tenant’s domain, or a custom one.',
      },
      clientId('AbCdEfGhIjKlMnOpQrStUvWxYz012345'),
    ],
    secret: 'needed',
    register: 'Auth0 dashboard › Applications › your application › Settings › Allowed Callback URLs',
    further: [
      ['The claim with the groups, which an Action of yours sets.', 'groupsClaim: https://example.com/roles'],
      name,
    ],
  },
  okta: {
    label: 'Okta',
    hint: 'an OIDC web application',
    fields: [
      {
        setting: 'domain',
        flag: 'domain',
        asks: 'Domain of the org',
        example: 'example.okta.com',
        says: 'The org’s domain, without -admin.',
      },
      clientId('0oa1example2345678x7'),
    ],
    secret: 'needed',
    register: 'Okta admin console › Applications › your application › General › Sign-in redirect URIs',
    further: [['A custom authorization server.', 'authorizationServer: default'], name],
  },
  entra: {
    label: 'Microsoft Entra ID',
    hint: 'an app registration',
    fields: [
      {
        setting: 'tenant',
        flag: 'tenant',
        asks: 'Directory (tenant) id',
        example: '11111111-2222-3333-4444-555555555555',
        says: 'The directory (tenant) id, a GUID.',
      },
      clientId('66666666-7777-8888-9999-000000000000'),
    ],
    secret: 'needed',
    register: 'Entra admin center › App registrations › your app › Authentication › Web › Redirect URIs',
    further: [['App roles in place of groups, for large directories.', 'groupsClaim: roles'], name],
  },
  keycloak: {
    label: 'Keycloak',
    hint: 'a confidential client of a realm',
    fields: [
      {
        setting: 'baseUrl',
        flag: 'base-url',
        asks: 'Address of Keycloak',
        example: 'https://sso.example.com',
        says: 'Where Keycloak is.',
      },
      { setting: 'realm', flag: 'realm', asks: 'Realm', example: 'example', says: 'The realm’s name.' },
      clientId('gatehouse'),
    ],
    secret: 'needed',
    register: 'Keycloak admin console › your realm › Clients › your client › Settings › Valid redirect URIs',
    further: [['What the groups are: `groups`, or `realm-roles`.', 'groupsFrom: realm-roles'], name],
  },
  github: {
    label: 'GitHub',
    hint: 'an OAuth app, or a GitHub App',
    fields: [clientId('Ov23liEXAMPLE0123456')],
    secret: 'needed',
    register: 'GitHub › Settings › Developer settings › OAuth Apps › your app › Authorization callback URL',
    further: [
      ['With read:org, organisations and teams are the groups.', 'scope: [read:org]'],
      ['GitHub Enterprise.', 'baseUrl: https://github.example.com'],
    ],
  },
  oidc: {
    label: 'another OpenID Connect provider',
    hint: 'by its discovery document',
    fields: [
      {
        setting: 'issuer',
        flag: 'provider-issuer',
        asks: 'Issuer of the provider',
        example: 'https://login.example.com',
        says: 'Exactly as in its discovery document, to the last slash.',
      },
      clientId('gatehouse'),
    ],
    secret: 'either',
    register: 'your provider’s page for our client › redirect URIs (or callback URLs)',
    further: [
      ['Asks for a refresh token, so that grants outlive the sign-in.', 'offline: true'],
      ['Further scopes.', 'scope: [email]'],
      ['The claim that holds the groups.', 'groupsClaim: groups'],
      ['How the secret is sent.', 'clientAuthentication: basic'],
      name,
    ],
  },
  local: {
    label: 'nobody yet: a user pool on this computer',
    hint: 'for trying things out',
    fields: [],
    secret: 'none',
    register: 'nothing to enter: the user pool that was written knows it',
    further: [],
  },
};

export const providerTypes = Object.keys(providerForms) as readonly ProviderType[];
