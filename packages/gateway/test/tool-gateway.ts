/** A resource whose tools have rules, in front of a target of the tests: the real guard, with a fixed token for each person. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { firstOf } from '@mcp-gatehouse/auth/foreign-tokens/first-of';
import { guard } from '@mcp-gatehouse/auth/guard';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { dangerouslyStaticToken } from '@mcp-gatehouse/auth/static-token';
import { type ToolRules, toolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { mcpEndpoint, type Served } from '../src/mcp-endpoint.ts';
import { openTarget } from '../src/proxy/target.ts';
import { streamableRoute } from '../src/target-route.ts';
import type { Target } from './target.ts';

export const scopes = { read: 'read', write: 'write', admin: 'do everything' };

export const rules: ToolRules = {
  find: {},
  search: { scope: 'read' },
  store: { scope: 'write' },
  'delete_*': { scope: ['write', 'admin'] },
  delete_draft: { scope: 'write' },
  audit: { role: 'auditor' },
  publish: { scope: 'write', permission: 'publish:pages' },
  'größe messen': { scope: 'read' },
};

const people = {
  reader: { scope: ['read'] },
  writer: { scope: ['write'] },
  admin: { scope: ['read', 'write', 'admin'] },
  auditor: { scope: ['read'], roles: ['auditor'] },
  publisher: { scope: ['write'], permissions: ['publish:pages'] },
} as const;

export type Person = keyof typeof people;

export const bearer = (person: Person): [string, string] => ['Authorization', `Bearer ${tokenOf(person)}`];
const tokenOf = (person: Person) => `token-of-the-${person}`;

export interface ToolGateway {
  readonly port: number;
  readonly resourceMetadata: string;
  /** What the log is told, in order. */
  readonly served: Served[];
  /** Resolves once the next request's head is there. */
  arrival(): Promise<unknown>;
  close(): Promise<void>;
}

/** `tools` undefined: without rules. */
export async function startToolGateway(target: Target, tools: ToolRules | undefined): Promise<ToolGateway> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const origin = `http://localhost:${port}`;
  const resource = { uri: `${origin}/mcp`, scopes };
  const tokens = Object.entries(people).map(([person, holds]) =>
    dangerouslyStaticToken({
      token: tokenOf(person as Person),
      subject: person,
      issuer: origin,
      resource: resource.uri,
      now: () => 1_800_000_000,
      ...holds,
    }),
  );
  const opened = openTarget({ url: `${target.url}/mcp` });
  const endpoint = mcpEndpoint({
    resource: resource.uri,
    guard: guard({ resource, verify: firstOf(...tokens) }),
    target: opened,
    route: streamableRoute(opened),
    identity: (token) => writeIdentityHeaders(token),
    publicOrigin: origin,
    ...(tools && { tools: toolPolicy({ tools, scopes: Object.keys(scopes), hierarchy: { write: ['read'] } }) }),
  });
  const served: Served[] = [];
  server.on('request', (req, res) => void endpoint(req, res, 'request-1').then((one) => served.push(one)));
  return {
    port,
    resourceMetadata: `${origin}/.well-known/oauth-protected-resource/mcp`,
    served,
    arrival: () => once(server, 'request'),
    async close() {
      server.close();
      server.closeAllConnections();
      await opened.close();
    },
  };
}
