/** One MCP server behind the gateway: where it is seen, where it is, and who may do what there. */
import * as z from 'zod';
import { limitParts } from '../rate-limits/rate-limits.ts';
import { identityForm, isStdio, target } from './target.ts';
import { openTargetUrl, path, publicUrl, secretReference } from './values.ts';

const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'is no scope');
const oneOrMore = <T extends z.ZodType<string>>(one: T) => z.union([one, z.array(one)]);
const needed = z.string().min(1).max(256);

const toolNeeds = z.strictObject({
  scope: oneOrMore(scopeName).optional().describe('Every one of them is needed.'),
  permission: oneOrMore(needed).optional().describe('Every one of them is needed.'),
  role: oneOrMore(needed).optional().describe('Every one of them is needed.'),
});

export const resource = z.strictObject({
  path: path
    .refine((text) => !text.endsWith('/'), 'must not end with a slash')
    .optional()
    .describe('Public path of the MCP endpoint, below the origin of the issuer. This or `url`.'),
  url: publicUrl
    .optional()
    .describe('Public URL of the MCP endpoint where it is on another host than the issuer. This or `path`.'),
  name: z.string().min(1).max(80).optional().describe('What a person calls it; stands on the consent page.'),
  kind: z
    .enum(['mcp', 'api'])
    .optional()
    .describe('`api`: a plain HTTP API, everything at and below the path, by any method; mcp unless given.'),
  target,
  identity: identityForm,
  scopes: z
    .record(scopeName, z.string().min(1))
    .default({ mcp: 'use its tools on your behalf' })
    .describe('Every scope, and in words what it lets a client do (“It will be able to …”).'),
  defaultScope: z.array(z.string()).optional().describe('The scope to ask for first; all of them unless given.'),
  tools: z
    .record(z.string().min(1).max(256), toolNeeds)
    .optional()
    .describe(
      'Tool, or the start of a name and `*`, to what it needs. A tool that is not named needs every scope, unless there is a `*`.',
    ),
  scopeHierarchy: z
    .record(scopeName, z.array(scopeName))
    .optional()
    .describe('Scope, to the scopes it includes, such as write to read. Counts where tools are judged.'),
  rateLimits: z
    .array(
      z.strictObject({
        per: z
          .array(z.enum(limitParts))
          .min(1)
          .describe('What has a bucket of its own: any of user, client and tool together, or resource alone.'),
        tools: z
          .array(z.string().min(1).max(256))
          .min(1)
          .optional()
          .describe('Only calls of these tools: names, or the start of one and `*`.'),
        burst: z.int().min(1).max(1_000_000).describe('So many at once.'),
        perMinute: z.number().positive().max(1_000_000).describe('So many in the long run.'),
      }),
    )
    .max(20)
    .optional()
    .describe(
      'How often; above it clients get 429 and `Retry-After`. Each process counts for itself: divide by how many there are.',
    ),
  targetSecret: secretReference
    .optional()
    .describe('Sent to the target as x-gatehouse-secret, so that it can refuse everybody else.'),
  keepAliveSeconds: z
    .int()
    .min(0)
    .max(3600)
    .optional()
    .describe(
      'A comment into event streams that are silent for so long, so that no front door cuts them; 20. 0: never.',
    ),
  maxMessageBytes: z
    .int()
    .min(1024)
    .max(64 * 1024 * 1024)
    .optional()
    .describe('Of one message of a client; 8388608.'),
  open: z
    .array(
      z.strictObject({
        path: path.describe('Public path; everything below it is open.'),
        target: openTargetUrl.describe('Where it leads: the rest of the path is appended.'),
      }),
    )
    .default([])
    .describe('Paths below which GET is forwarded without a token or an identity, such as signed downloads.'),
});

export type ResourceConfig = z.infer<typeof resource>;

/** The canonical URI of a resource (RFC 8707): what tokens for it say in `aud`. */
export function resourceUri({ path, url }: Pick<ResourceConfig, 'path' | 'url'>, issuer: string): string {
  return url ?? new URL(issuer).origin + (path ?? '');
}

/** Whether it is HTTP+SSE of MCP 2024-11-05, which has a second address. */
export function speaksSse({ target }: Pick<ResourceConfig, 'target'>): boolean {
  return !isStdio(target) && target.transport === 'sse';
}

/** Where the gateway serves it: the host and the path of its URI. */
export function publicPlace(config: Pick<ResourceConfig, 'path' | 'url'>, issuer: string): URL {
  return new URL(resourceUri(config, issuer));
}
