/** Clients in a vendor's own cloud: answers at the vendor's website, some of them with keys or secrets. */
import { discoveryOfTheSpecification, type Persona } from './persona.ts';

const codeAndRefresh = ['authorization_code', 'refresh_token'];
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const hosted = {
  source: 'second-hand',
  discovery: discoveryOfTheSpecification,
  scope: 'challenge',
  resource: 'listed',
  tokenAuth: 'none',
} as const;

const claude: Persona = {
  ...hosted,
  name: 'Claude.ai and Claude Desktop',
  identity: {
    by: 'document',
    document: {
      client_id: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: [...codeAndRefresh, jwtBearer],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    pinned: true,
  },
  redirectUris: ['https://claude.ai/api/mcp/auth_callback'],
  scope: { sent: ' offline_access' },
  prompt: 'consent',
};

const claudeRegistration = {
  client_name: 'Claude',
  redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
  grant_types: codeAndRefresh,
  response_types: ['code'],
};

const chatgpt: Persona = {
  ...hosted,
  name: 'ChatGPT with its key',
  identity: {
    by: 'document',
    document: {
      client_id: 'https://chatgpt.com/oauth/client.json',
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      grant_types: codeAndRefresh,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      token_endpoint_auth_signing_alg: 'RS256',
      jwks_uri: 'https://chatgpt.com/oauth/jwks.json',
    },
    pinned: true,
  },
  // What it uses because we advertise `iss` (RFC 9207); without, it would be the one of the connector below.
  redirectUris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
  tokenAuth: 'private_key_jwt',
};

/** How ChatGPT came to servers without RFC 9207: one redirect URI and one document a connector. */
const chatgptConnector: Persona = {
  ...chatgpt,
  name: 'ChatGPT, one connector',
  identity: {
    by: 'document',
    document: {
      client_id: 'https://chatgpt.com/oauth/Kd83hT_2x/client.json',
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector/oauth/Kd83hT_2x'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      jwks_uri: 'https://chatgpt.com/oauth/jwks.json',
    },
    pinned: false,
  },
  redirectUris: ['https://chatgpt.com/connector/oauth/Kd83hT_2x'],
};

export const hostedPersonas: readonly Persona[] = [
  claude,
  {
    ...claude,
    name: 'Claude.ai by registration',
    identity: { by: 'registration', body: { ...claudeRegistration, token_endpoint_auth_method: 'none' } },
    meets: { documents: false },
  },
  {
    ...claude,
    name: 'Claude.ai with a secret',
    identity: {
      by: 'registration',
      body: { ...claudeRegistration, token_endpoint_auth_method: 'client_secret_post', scope: ' offline_access' },
    },
    tokenAuth: 'post',
    meets: { documents: false },
  },
  chatgpt,
  { ...chatgpt, name: 'ChatGPT without its key', tokenAuth: 'none' },
  chatgptConnector,
  {
    ...hosted,
    name: 'Grok',
    identity: {
      by: 'registration',
      body: { client_name: 'Grok', redirect_uris: ['https://grok.com/connectors-oauth-exchange-code/'] },
    },
    redirectUris: ['https://grok.com/connectors-oauth-exchange-code/'],
  },
  {
    ...hosted,
    name: 'Copilot',
    identity: {
      by: 'registration',
      body: {
        client_name: 'Microsoft Copilot',
        redirect_uris: ['https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    },
    redirectUris: ['https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect'],
    // As RFC 6749 §2.3.1 has it, the counterpart of the SDK's.
    tokenAuth: 'basic-encoded',
  },
];
