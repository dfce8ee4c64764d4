/** Cloudflare's workers-oauth-provider, its fetch handler on Node: the store in memory, and its one import of the runtime's answered here. */
import { createServer } from 'node:http';
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'cloudflare:workers'
      ? { url: 'data:text/javascript,export class WorkerEntrypoint {}', shortCircuit: true }
      : next(specifier, context),
});
const { OAuthProvider } = await import('@cloudflare/workers-oauth-provider');

const port = Number(process.argv[2]);
const origin = `http://localhost:${port}`;

/** Workers KV, as far as it is used. */
const values = new Map<string, string>();
const store = {
  get: async (key: string, options?: { readonly type?: string }) => {
    const value = values.get(key);
    if (value === undefined) return null;
    return options?.type === 'json' ? (JSON.parse(value) as unknown) : value;
  },
  put: async (key: string, value: string) => void values.set(key, value),
  delete: async (key: string) => void values.delete(key),
  list: async ({ prefix = '' }: { readonly prefix?: string } = {}) => ({
    keys: [...values.keys()].filter((key) => key.startsWith(prefix)).map((name) => ({ name })),
    list_complete: true,
  }),
};

interface Helpers {
  parseAuthRequest(request: Request): Promise<{ readonly clientId: string }>;
}

const page = '<!doctype html><title>Sign in</title><form method="post"><button>Sign in</button></form>';
const provider = new OAuthProvider({
  apiRoute: '/mcp',
  apiHandler: {
    fetch: async () => Response.json({ jsonrpc: '2.0', id: 1, result: {} }),
  },
  defaultHandler: {
    // The application's own part: the page where people sign in.
    async fetch(request: Request, env: { readonly OAUTH_PROVIDER: Helpers }) {
      if (new URL(request.url).pathname !== '/authorize') return new Response('Not found', { status: 404 });
      try {
        await env.OAUTH_PROVIDER.parseAuthRequest(request);
      } catch (error) {
        return new Response(String(error), { status: 400 });
      }
      const headers = { 'content-type': 'text/html', 'content-security-policy': "frame-ancestors 'none'" };
      return new Response(page, { headers });
    },
  },
  authorizeEndpoint: '/authorize',
  tokenEndpoint: '/token',
  clientRegistrationEndpoint: '/register',
  scopesSupported: ['mcp:tools'],
  resourceMetadata: { resource: `${origin}/mcp` },
} as unknown as ConstructorParameters<typeof OAuthProvider>[0]);

const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
const handle = provider.fetch.bind(provider) as unknown as (
  request: Request,
  env: unknown,
  context: unknown,
) => Promise<Response>;

createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) headers.set(name, String(value));
  const body = ['GET', 'HEAD'].includes(req.method ?? '') ? undefined : Buffer.concat(chunks);
  const request = new Request(origin + req.url, { method: req.method ?? 'GET', headers, ...(body && { body }) });
  const response = await handle(request, { OAUTH_KV: store }, context);
  res.writeHead(response.status, [...response.headers].flat());
  res.end(Buffer.from(await response.arrayBuffer()));
}).listen(port, '127.0.0.1', () => console.log('ready'));
