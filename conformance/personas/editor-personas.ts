/** Editors and agents on a person's own computer: answers on loopback, at a scheme of their own, or by way of a website. */
import { type ClientDocument, discoveryOfTheSpecification, type Persona } from './persona.ts';

const codeAndRefresh = ['authorization_code', 'refresh_token'];
const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';

/** What all of them are where nothing else is known. */
const native = {
  source: 'second-hand',
  discovery: discoveryOfTheSpecification,
  scope: 'challenge',
  resource: 'listed',
  tokenAuth: 'none',
} as const;

const byDocument = (document: ClientDocument, pinned: boolean): Persona['identity'] => ({
  by: 'document',
  document,
  pinned,
});

const vscodeRedirects = [
  'http://127.0.0.1:33418/',
  'http://127.0.0.1/',
  'https://vscode.dev/redirect',
  'https://insiders.vscode.dev/redirect',
];

const cursor = {
  client_name: 'Cursor',
  redirect_uris: [
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'http://localhost:8787/callback',
    'https://www.cursor.com/agents/mcp/oauth/callback',
  ],
  grant_types: codeAndRefresh,
  response_types: ['code'],
};

export const editorPersonas: readonly Persona[] = [
  {
    ...native,
    name: 'VS Code',
    source: 'documented',
    identity: byDocument(
      {
        client_id: 'https://vscode.dev/oauth/client-metadata.json',
        client_name: 'Visual Studio Code',
        redirect_uris: vscodeRedirects,
        grant_types: [...codeAndRefresh, deviceCode],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      true,
    ),
    // Its own port, any other where that one is taken, and the website where the editor runs elsewhere.
    redirectUris: ['http://127.0.0.1:33418/', 'http://127.0.0.1:{port}/', 'https://vscode.dev/redirect'],
  },
  {
    ...native,
    name: 'VS Code by registration',
    source: 'documented',
    identity: {
      by: 'registration',
      body: {
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        redirect_uris: vscodeRedirects,
        grant_types: [...codeAndRefresh, deviceCode],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
    redirectUris: ['http://127.0.0.1:33418/', 'http://127.0.0.1:{port}/', 'https://insiders.vscode.dev/redirect'],
    meets: { documents: false },
  },
  {
    ...native,
    name: 'Claude Code',
    identity: byDocument(
      {
        client_id: 'https://claude.ai/oauth/claude-code-client-metadata',
        client_name: 'Claude Code',
        redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'none',
      },
      true,
    ),
    redirectUris: ['http://localhost:{port}/callback', 'http://127.0.0.1:{port}/callback'],
  },
  {
    ...native,
    name: 'Claude Code by registration',
    identity: {
      by: 'registration',
      body: {
        client_name: 'Claude Code',
        redirect_uris: ['http://localhost:{port}/callback'],
        grant_types: codeAndRefresh,
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    },
    redirectUris: ['http://localhost:{port}/callback'],
    meets: { documents: false },
  },
  {
    ...native,
    name: 'Codex',
    identity: byDocument(
      {
        client_id: 'https://chatgpt.com/oauth/codex/client.json',
        client_name: 'Codex',
        redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
        token_endpoint_auth_method: 'none',
      },
      false,
    ),
    redirectUris: ['http://127.0.0.1:{port}/callback'],
  },
  {
    ...native,
    name: 'Cursor',
    identity: { by: 'registration', body: { ...cursor, token_endpoint_auth_method: 'none' } },
    redirectUris: cursor.redirect_uris,
  },
  {
    ...native,
    name: 'Cursor with a secret',
    identity: { by: 'registration', body: { ...cursor, token_endpoint_auth_method: 'client_secret_post' } },
    redirectUris: ['cursor://anysphere.cursor-mcp/oauth/callback'],
    tokenAuth: 'post',
  },
  {
    ...native,
    name: 'Gemini CLI',
    identity: {
      by: 'registration',
      body: {
        client_name: 'Gemini CLI MCP Client',
        redirect_uris: ['http://localhost:{port}/oauth/callback'],
        grant_types: codeAndRefresh,
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    },
    redirectUris: ['http://localhost:{port}/oauth/callback'],
    needsIss: true,
  },
  {
    ...native,
    name: 'Zed',
    identity: byDocument(
      {
        client_id: 'https://zed.dev/oauth/client-metadata.json',
        client_name: 'Zed',
        redirect_uris: ['http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'none',
      },
      true,
    ),
    redirectUris: ['http://127.0.0.1:{port}/callback'],
  },
  {
    ...native,
    name: 'opencode',
    identity: byDocument(
      {
        client_id: 'https://opencode.ai/oauth/opencode/client.json',
        client_name: 'opencode',
        redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
        grant_types: codeAndRefresh,
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      true,
    ),
    redirectUris: ['http://127.0.0.1:{port}/callback'],
  },
  {
    ...native,
    name: 'Antigravity',
    identity: {
      by: 'registration',
      body: { client_name: 'Antigravity', redirect_uris: ['https://antigravity.google/oauth-callback'] },
    },
    redirectUris: ['https://antigravity.google/oauth-callback'],
  },
];
