/** What is served where: every resource and open path of a configuration, by host and path. */
import { hostSpellings } from './admission.ts';
import { publicPlace, type ResourceConfig } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import type { Place } from './http-server.ts';
import type { McpEndpoint } from './mcp-endpoint.ts';
import { type OpenPath, openPath } from './open-path.ts';
import type { Target } from './proxy/forward.ts';

interface OpenPlace extends Place {
  readonly mcpEndpoints: Map<string, McpEndpoint>;
  readonly openPaths: OpenPath[];
}

/** The issuer's own host, and `elsewhere` every other one under each spelling of its `Host`. */
export function places(
  { issuer, resources }: Pick<Config, 'issuer' | 'resources'>,
  endpointOf: (resource: ResourceConfig, index: number) => McpEndpoint,
  targetAt: (url: string) => Target,
): Place & { readonly elsewhere: ReadonlyMap<string, Place> } {
  const ours = new URL(issuer).host;
  const byHost = new Map<string, OpenPlace>([[ours, newPlace()]]);
  const elsewhere = new Map<string, Place>();
  resources.forEach((resource, index) => {
    const url = publicPlace(resource, issuer);
    const place = byHost.get(url.host) ?? newPlace();
    if (!byHost.has(url.host)) for (const spelling of hostSpellings(url)) elsewhere.set(spelling, place);
    byHost.set(url.host, place);
    place.mcpEndpoints.set(url.pathname, endpointOf(resource, index));
    place.openPaths.push(...resource.open.map((one) => openPath(one.path, targetAt(one.target), url.origin)));
  });
  // The longest first: of `/files` and `/files/special` each gets what is its own.
  for (const { openPaths } of byHost.values()) openPaths.sort((a, b) => b.prefix.length - a.prefix.length);
  return { ...(byHost.get(ours) as OpenPlace), elsewhere };
}

function newPlace(): OpenPlace {
  return { mcpEndpoints: new Map(), openPaths: [] };
}
