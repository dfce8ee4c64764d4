/**
 * The official SDK v1's own authorization server (`mcpAuthRouter`) and its bearer check, with the provider of the SDK's
 * examples (`example`), or with that one as somebody would mend it who puts it on the internet.
 */
import { DemoInMemoryAuthProvider } from '@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js';
import { InvalidGrantError, InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { express, mountMcp } from './sdk-v1-endpoint.ts';

/** Asks people to sign in, and refuses with the errors that clients know. */
class MendedProvider extends DemoInMemoryAuthProvider {
  override async authorize(...[, , res]: Parameters<DemoInMemoryAuthProvider['authorize']>): Promise<void> {
    res.set('content-security-policy', "frame-ancestors 'none'");
    res.type('html').send('<!doctype html><title>Sign in</title><form method="post"><button>Sign in</button></form>');
  }
  override challengeForAuthorizationCode(): Promise<string> {
    return Promise.reject(new InvalidGrantError('Nobody has signed in here.'));
  }
  override exchangeRefreshToken(): Promise<never> {
    return Promise.reject(new InvalidGrantError('Nobody has signed in here.'));
  }
  override verifyAccessToken(): Promise<never> {
    return Promise.reject(new InvalidTokenError('Nobody has a token here.'));
  }
}

const port = Number(process.argv[2]);
const issuerUrl = new URL(`http://localhost:${port}`);
const resourceServerUrl = new URL('/mcp', issuerUrl);
const provider = process.argv[3] === 'example' ? new DemoInMemoryAuthProvider() : new MendedProvider();
const app = express();
app.use(mcpAuthRouter({ provider, issuerUrl, resourceServerUrl, scopesSupported: ['mcp:tools'] }));
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resourceServerUrl);
app.use('/mcp', requireBearerAuth({ verifier: provider, requiredScopes: ['mcp:tools'], resourceMetadataUrl }));
mountMcp(app);
app.listen(port, '127.0.0.1', () => console.log('ready'));
