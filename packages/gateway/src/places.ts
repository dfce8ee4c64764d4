/** What is served where: every resource and open path of a configuration, by host and path. */
import { hostSpellings } from './admission.ts';
import { publicPlace, type ResourceConfig, speaksSse } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import type { Place } from './http-server.ts';
import type { McpEndpoint } from './mcp-endpoint.ts';
import { type OpenPath, openPath } from './open-path.ts';
import { legacyMessagePath } from './proxy/legacy-sse.ts';
import type { Target } from './proxy/target.ts';

/** What is served on one host. */
class OpenPlace implements Place {
  readonly exact = new Map<string, McpEndpoint>();
  readonly below: Array<{ readonly prefix: string; readonly endpoint: McpEndpoint }> = [];
  readonly openPaths: OpenPath[] = [];

  endpointAt(path: string): McpEndpoint | undefined {
    return this.exact.get(path) ?? this.below.find(({ prefix }) => path.startsWith(prefix))?.endpoint;
  }

  /** The longest first: of `/files` and `/files/special` each gets what is its own. */
  sort(): void {
    this.below.sort((a, b) => b.prefix.length - a.prefix.length);
    this.openPaths.sort((a, b) => b.prefix.length - a.prefix.length);
  }
}

/** The issuer's own host, and `elsewhere` every other one under each spelling of its `Host`. */
export function places(
  { issuer, resources }: Pick<Config, 'issuer' | 'resources'>,
  endpointOf: (resource: ResourceConfig, index: number) => McpEndpoint,
  targetAt: (url: string) => Target,
): { readonly here: Place; readonly elsewhere: ReadonlyMap<string, Place> } {
  const here = new OpenPlace();
  const byHost = new Map([[new URL(issuer).host, here]]);
  const elsewhere = new Map<string, Place>();
  resources.forEach((resource, index) => {
    const url = publicPlace(resource, issuer);
    const place = byHost.get(url.host) ?? new OpenPlace();
    if (!byHost.has(url.host)) for (const spelling of hostSpellings(url)) elsewhere.set(spelling, place);
    byHost.set(url.host, place);
    const endpoint = endpointOf(resource, index);
    place.exact.set(url.pathname, endpoint);
    if (resource.kind === 'api') place.below.push({ prefix: `${url.pathname}/`, endpoint });
    if (speaksSse(resource)) place.exact.set(legacyMessagePath(url.pathname), endpoint);
    place.openPaths.push(...resource.open.map((one) => openPath(one.path, targetAt(one.target), url.origin)));
  });
  for (const place of byHost.values()) place.sort();
  return { here, elsewhere };
}
