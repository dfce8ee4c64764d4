/** A server on the SDK v1 whose authorization server is `oidc-provider`, on the next port, with registration open. */

import { createServer } from 'node:http';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import type { OAuthMetadata } from '@modelcontextprotocol/sdk/shared/auth.js';
import Provider from 'oidc-provider';
import { express, mountMcp } from './sdk-v1-endpoint.ts';

const port = Number(process.argv[2]);
const issuer = `http://localhost:${port + 1}`;
const resourceServerUrl = new URL(`http://localhost:${port}/mcp`);
const provider = new Provider(issuer, {
  cookies: { keys: ['not a secret: these cookies live for one test'] },
  scopes: ['openid', 'offline_access', 'mcp:tools'],
  features: {
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_: unknown, resource: string) => {
        if (resource !== resourceServerUrl.href) throw new Error('no resource of ours');
        return { scope: 'mcp:tools', audience: resource, accessTokenFormat: 'jwt' };
      },
    },
  },
});
await new Promise<void>((listening) => {
  createServer(provider.callback()).listen(port + 1, '127.0.0.1', listening);
});
const discovered = await fetch(`${issuer}/.well-known/openid-configuration`);
const oauthMetadata = (await discovered.json()) as OAuthMetadata;
const app = express();
app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl, scopesSupported: ['mcp:tools'] }));
const verifier = {
  // Nobody gets a token here.
  verifyAccessToken: () => Promise.reject(new InvalidTokenError('unknown')),
};
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resourceServerUrl);
app.use('/mcp', requireBearerAuth({ verifier, requiredScopes: ['mcp:tools'], resourceMetadataUrl }));
mountMcp(app);
app.listen(port, '127.0.0.1', () => console.log('ready'));
