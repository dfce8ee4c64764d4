/** punkpeye's fastmcp with its OAuth proxy, before an identity provider that is never reached here. */
import { FastMCP } from 'fastmcp';
import { OAuthProvider } from 'fastmcp/auth';

const port = Number(process.argv[2]);
const origin = `http://localhost:${port}`;
const server = new FastMCP({
  name: 'fastmcp',
  version: '1.0.0',
  auth: new OAuthProvider({
    baseUrl: origin,
    clientId: 'somebody',
    clientSecret: 'a-secret-of-the-identity-provider',
    authorizationEndpoint: 'https://idp.example/authorize',
    tokenEndpoint: 'https://idp.example/token',
    scopes: ['openid'],
  }),
});
server.addTool({ name: 'hello', description: 'Says hello', execute: async () => 'hello' });
await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1' } });
console.log('ready');
