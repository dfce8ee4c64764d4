/**
 * The clients that the doctor knows, each with its sources. Members change when a client does: look the source up again
 * before a verdict is doubted. “Read” means the program's own source, as of the version or date beside it.
 */
import type { Persona } from './persona.ts';

/** Read in @modelcontextprotocol/client 2.4.0, and recorded on loopback. */
const sdkV2: Persona = {
  client: 'sdk-v2',
  name: 'Clients on the TypeScript SDK v2',
  sources: ['@modelcontextprotocol/client 2.4.0 (read, recorded)'],
  runs: 'computer',
  library: 'fetch',
  signsInOn: [401],
  beginsWithDiscover: true,
  challenge: 'used',
  resourceMetadata: { places: 'named', without: 'origin', resource: 'above' },
  serverMetadata: {
    without: 'guesses',
    issuer: 'or-slash',
    pkce: 'if-listed',
    stopsAtWebPage: true,
    wantsAllMembers: true,
    refusesPlainHttp: true,
  },
  identity: { registration: { like: 'native', own: false }, perhapsDocument: true },
  checksIss: true,
};

/** Read in @modelcontextprotocol/sdk 1.32.2, and recorded on loopback. */
const sdkV1: Persona = {
  client: 'sdk-v1',
  name: 'Clients on the TypeScript SDK v1',
  sources: ['@modelcontextprotocol/sdk 1.32.2, client/auth (read, recorded)'],
  runs: 'computer',
  library: 'fetch',
  signsInOn: [401],
  challenge: 'used',
  resourceMetadata: { places: 'named', without: 'origin', resource: 'above' },
  serverMetadata: {
    without: 'guesses',
    issuer: 'ignored',
    pkce: 'if-listed',
    stopsAtWebPage: true,
    wantsAllMembers: true,
  },
  identity: { registration: { like: 'native', own: false }, perhapsDocument: true },
  checksIss: false,
};

/** Of whom little is published beyond how it registers. */
const littleKnown = {
  runs: 'computer',
  library: 'unknown',
  signsInOn: [401],
  challenge: 'used',
  resourceMetadata: { places: 'all', without: 'unknown', resource: 'unknown' },
  serverMetadata: { without: 'unknown', issuer: 'unknown', pkce: 'unknown' },
  checksIss: 'unknown',
} as const;

export const personas: readonly Persona[] = [
  {
    client: 'claude',
    name: 'Claude (claude.ai, Desktop)',
    sources: [
      'https://claude.com/docs/connectors/building/authentication: registration, documents only beside “none”',
      'anthropics/claude-ai-mcp#748, #136: a renamed header, and a relative resource_metadata, end it',
      'anthropics/claude-code#69917 against the documentation: whether a different resource ends it',
      'forcedotcom/mcp-hosted#47: connects where PKCE is not announced',
    ],
    runs: 'cloud',
    library: 'unknown',
    signsInOn: [401],
    challenge: 'needed',
    resourceMetadata: { places: 'all', without: 'stops', resource: 'unknown' },
    serverMetadata: { without: 'stops', issuer: 'unknown', pkce: 'ignored' },
    identity: {
      document: {
        url: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
        probe: 'claude',
        onlyWith: ['none'],
      },
      registration: { like: 'hosted', own: true },
    },
    checksIss: 'unknown',
    tokenSeconds: 10,
  },
  {
    client: 'claude-code',
    name: 'Claude Code',
    sources: [
      'anthropics/claude-code#58802, #85563 (root only) against getsentry/sentry-mcp#836 (path): where it looks',
      'anthropics/claude-code#80731: without metadata it takes the origin',
      'anthropics/claude-code#69917: another resource ends it',
      'anthropics/claude-code#37747: any free port on localhost',
    ],
    runs: 'computer',
    library: 'fetch',
    signsInOn: [401],
    challenge: 'used',
    resourceMetadata: { places: 'all', perhapsRootOnly: true, without: 'origin', resource: 'above' },
    serverMetadata: { without: 'guesses', issuer: 'unknown', pkce: 'if-listed' },
    identity: {
      document: { url: 'https://claude.ai/oauth/claude-code-client-metadata', probe: 'claude-code' },
      registration: { like: 'native', own: false },
    },
    checksIss: 'unknown',
    freePortOn: 'localhost',
  },
  {
    client: 'chatgpt',
    name: 'ChatGPT',
    sources: [
      'https://developers.openai.com/plugins/build/auth: metadata of the resource, documents, registration',
      'forcedotcom/mcp-hosted#47, home-assistant/core#181542: refuses where S256 is not announced',
      'MCP reference, section 8: issuer compared exactly; another document without RFC 9207',
    ],
    runs: 'cloud',
    library: 'unknown',
    signsInOn: [401],
    challenge: 'used',
    resourceMetadata: { places: 'all', without: 'stops', resource: 'unknown' },
    serverMetadata: { without: 'stops', issuer: 'exact', pkce: 'needed' },
    identity: {
      document: {
        url: 'https://chatgpt.com/oauth/client.json',
        probe: 'chatgpt',
        onlyWith: ['none', 'private_key_jwt'],
        otherWithoutIss: true,
      },
      registration: { like: 'hosted', own: false },
    },
    checksIss: 'unknown',
  },
  {
    client: 'vscode',
    name: 'VS Code',
    sources: ['microsoft/vscode, base/common/oauth.ts and api/common/extHostMcp.ts (read)'],
    runs: 'computer',
    library: 'unknown',
    // It follows redirects by itself, and keeps its headers.
    signsInOn: [401, 403],
    challenge: 'used',
    resourceMetadata: { places: 'named', without: 'origin', resource: 'or-dropped' },
    serverMetadata: { without: 'guesses', issuer: 'ignored', pkce: 'unknown' },
    identity: {
      document: { url: 'https://vscode.dev/oauth/client-metadata.json', probe: 'vscode' },
      registration: { like: 'native', own: false },
    },
    checksIss: 'unknown',
    freePortOn: '127.0.0.1',
  },
  {
    ...littleKnown,
    client: 'cursor',
    name: 'Cursor',
    sources: [
      'soflyy/agent-connector-for-wp#111, makeplane/plane-mcp-server#159: three redirect URIs at once',
      'Altinity/altinity-mcp#169: registers, and has no document',
    ],
    identity: { registration: { like: 'cursor', own: true } },
  },
  {
    client: 'gemini-cli',
    name: 'Gemini CLI',
    sources: [
      'google-gemini/gemini-cli, core/src/mcp/oauth-utils.ts (read): places, exact resource, first server',
      'google-gemini/gemini-cli, core/src/mcp/oauth-callback-iss-handling.test.ts (read): iss where announced',
    ],
    runs: 'computer',
    library: 'fetch',
    signsInOn: [401],
    challenge: 'used',
    resourceMetadata: { places: 'all', without: 'origin', resource: 'without-query' },
    serverMetadata: { without: 'stops', issuer: 'ignored', pkce: 'ignored' },
    identity: { registration: { like: 'native', own: false } },
    checksIss: true,
  },
  {
    ...littleKnown,
    client: 'codex',
    name: 'Codex CLI',
    sources: [
      'anomalyco/opencode#47743: documents beside “none”, else registration',
      'cloudflare/mcp-server-cloudflare#449: iss where announced',
    ],
    identity: {
      document: { url: 'https://chatgpt.com/oauth/codex/client.json', onlyWith: ['none'] },
      registration: { like: 'native', own: false },
    },
    checksIss: true,
  },
  {
    ...littleKnown,
    client: 'zed',
    name: 'Zed',
    sources: ['zed-industries/zed#51768: its document, else registration'],
    identity: {
      document: { url: 'https://zed.dev/oauth/client-metadata.json', probe: 'zed' },
      registration: { like: 'native', own: false },
    },
  },
  {
    ...sdkV2,
    client: 'opencode',
    name: 'opencode',
    sources: [
      'anomalyco/opencode#48937, #50036: on the SDK v2 since 2026-09',
      'anomalyco/opencode#47743: its document beside “none”, else registration',
    ],
    identity: {
      document: { url: 'https://opencode.ai/oauth/opencode/client.json', probe: 'opencode', onlyWith: ['none'] },
      registration: { like: 'native', own: false },
    },
  },
  {
    ...sdkV2,
    client: 'inspector',
    name: 'MCP Inspector',
    sources: ['@modelcontextprotocol/inspector 2.12.0, its command line (recorded)', ...sdkV2.sources],
    identity: { registration: { like: 'native', own: false } },
    alsoAPage: true,
  },
  {
    ...sdkV2,
    client: 'mcp-remote',
    name: 'mcp-remote',
    sources: ['mcp-remote 0.15.1 (recorded), on the SDK v2', ...sdkV2.sources],
    identity: { registration: { like: 'native', own: false } },
  },
  sdkV2,
  sdkV1,
  {
    client: 'python-sdk',
    name: 'Clients on the Python SDK (FastMCP)',
    sources: ['modelcontextprotocol/python-sdk, client/auth/oauth2.py (read)'],
    runs: 'computer',
    library: 'unknown',
    signsInOn: [401],
    challenge: 'used',
    resourceMetadata: { places: 'all', without: 'origin', resource: 'above' },
    serverMetadata: { without: 'guesses', issuer: 'unknown', pkce: 'ignored' },
    identity: { registration: { like: 'native', own: false }, perhapsDocument: true },
    checksIss: 'unknown',
  },
];
