/** From a resource of the configuration to what answers for it. */
import type { Gatehouse, KeyringSecret, Log } from '@mcp-gatehouse/auth';
import { keyring } from '@mcp-gatehouse/auth';
import { toolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { publicPlace, type ResourceConfig, speaksSse } from './config/resource.ts';
import { toolRules } from './config/tool-rules.ts';
import { resourceFrom } from './house-from.ts';
import { identityToTarget } from './identity-to-target.ts';
import { callsInFlight, type Limits } from './limits.ts';
import { type McpEndpoint, mcpEndpoint } from './mcp-endpoint.ts';
import { legacySse } from './proxy/legacy-sse.ts';
import type { Target } from './proxy/target.ts';
import { rateLimits } from './rate-limits/rate-limits.ts';
import { apiRoute, legacyRoute, streamableRoute, type TargetRoute } from './target-route.ts';
import type { OpenedTarget } from './targets.ts';

export interface EndpointParts {
  readonly issuer: string;
  readonly house: Gatehouse;
  readonly keyring: readonly KeyringSecret[];
  readonly opened: OpenedTarget;
  /** Of the configuration; a command has one of its own. */
  readonly targetSecret: string | undefined;
  readonly limits: Limits;
  readonly log: Log;
}

export function resourceEndpoint(resource: ResourceConfig, parts: EndpointParts): McpEndpoint {
  const { issuer, house, opened, targetSecret, limits, log } = parts;
  const place = publicPlace(resource, issuer);
  const uri = place.href;
  const { tools, rateLimits: rules, maxMessageBytes, keepAliveSeconds } = resource;
  return mcpEndpoint({
    resource: uri,
    guard: house.guard(uri),
    target: opened.target,
    route: routeOf(resource, place, opened.target, parts),
    identity: identityToTarget({
      // What makes a command a server learns it here, whatever the command itself is told (stdio/environment.ts).
      form: opened.secret === undefined ? resource.identity : 'headers',
      resource: resourceFrom(resource, issuer),
      house,
      secret: opened.secret ?? targetSecret,
    }),
    publicOrigin: place.origin,
    calls: callsInFlight(limits),
    ...(tools && { tools: toolPolicy(toolRules(resource)) }),
    ...(rules && rules.length > 0 && { rateLimits: rateLimits(rules) }),
    maxMessageBytes,
    keepAliveSeconds,
    log,
  });
}

function routeOf(resource: ResourceConfig, place: URL, target: Target, parts: EndpointParts): TargetRoute {
  if (resource.kind === 'api') return apiRoute(target, place.pathname);
  if (!speaksSse(resource)) return streamableRoute(target);
  const seal = keyring(parts.issuer, parts.keyring);
  return legacyRoute(target, legacySse({ publicPath: place.pathname, target: target.url, seal }));
}
