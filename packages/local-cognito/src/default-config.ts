/** The pool one gets without a configuration file, and the file that `--init` writes. */
import type { Config } from './config.ts';

/**
 * Fixed on purpose, so that a restart changes nothing for the app under development. It is no secret: the command line
 * serves this pool on loopback addresses only.
 */
export const DEFAULT_CONFIG = {
  poolId: 'eu-central-1_Local0001',
  groups: [{ name: 'admins', description: 'May do everything', precedence: 1 }],
  users: [
    {
      username: 'demo',
      email: 'demo@example.com',
      password: 'Local-Demo-1',
      groups: ['admins'],
      attributes: { name: 'Demo User' },
    },
  ],
  resourceServers: [
    {
      identifier: 'http://localhost:8000/mcp',
      name: 'An API on this machine',
      scopes: [
        { name: 'read', description: 'Read' },
        { name: 'write', description: 'Change' },
      ],
    },
  ],
  clients: [
    {
      clientId: 'localpublicclient',
      clientName: 'Local public client',
      callbackUrls: ['http://localhost:3000/callback'],
      logoutUrls: ['http://localhost:3000/'],
      allowedScopes: [
        'openid',
        'email',
        'profile',
        'http://localhost:8000/mcp/read',
        'http://localhost:8000/mcp/write',
      ],
      refreshTokenRotation: { retryGracePeriodSeconds: 10 },
    },
    {
      clientId: 'localwebclient',
      clientName: 'Local web client',
      clientSecret: 'localwebclient0secret0for0this0machine0only',
      callbackUrls: ['http://localhost:3000/callback'],
      logoutUrls: ['http://localhost:3000/'],
      allowedScopes: [
        'openid',
        'email',
        'profile',
        'http://localhost:8000/mcp/read',
        'http://localhost:8000/mcp/write',
      ],
    },
    {
      clientId: 'localmachineclient',
      clientName: 'Local machine client',
      clientSecret: 'localmachineclient0secret0for0this0machine',
      allowedOAuthFlows: ['client_credentials'],
      allowedScopes: ['http://localhost:8000/mcp/read'],
    },
  ],
} satisfies Config;
