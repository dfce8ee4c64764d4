/** What is wrong between the resources of a configuration, and within one beyond a single value. */
import { endpointPaths } from '@mcp-gatehouse/auth';
import { toolRuleFaults } from '@mcp-gatehouse/auth/tool-needs';
import { legacyMessagePath } from '../proxy/legacy-sse.ts';
import { rateLimitFaults } from '../rate-limits/rate-limits.ts';
import { publicPlace, type ResourceConfig, resourceUri, speaksSse } from './resource.ts';
import { describeTarget, isStdio, targetFaults } from './target.ts';
import { toolRules } from './tool-rules.ts';

/** Each with its path; `issuer` is missing where it is wrong by itself. */
export function resourceFaults(resources: readonly ResourceConfig[], issuer: string | undefined): readonly string[] {
  const faults: string[] = [];
  const taken = new Map<string, string>();
  // Where the issuer itself is wrong, the rest is still looked at.
  const base = issuer ?? 'https://issuer.invalid';
  const ours = new URL(base).host;
  const paths = Object.values(endpointPaths(base));
  for (const path of [...paths, '/healthz', '/readyz']) taken.set(ours + path, 'a path of the gateway itself');
  const claim = (host: string, path: string, at: string) => {
    const wellKnown =
      /\/\.well-known(\/|$)/.test(path) || ['/healthz', '/readyz'].includes(path)
        ? 'a path of the gateway itself'
        : undefined;
    const owner = taken.get(host + path) ?? wellKnown;
    if (owner) faults.push(`${at}: ${path} is already ${owner}`);
    taken.set(host + path, at);
  };
  resources.forEach((resource, index) => {
    const at = `resources[${index}]`;
    if ((resource.path === undefined) === (resource.url === undefined)) {
      faults.push(`${at}.path: give either path or url`);
      return;
    }
    const { host, pathname } = publicPlace(resource, base);
    if (pathname === '/') faults.push(`${at}.url: needs a path, such as /mcp`);
    claim(host, pathname, `${at}.${resource.path === undefined ? 'url' : 'path'}`);
    resource.open.forEach((open, openIndex) => {
      claim(host, open.path.replace(/\/$/, ''), `${at}.open[${openIndex}].path`);
    });
    if (resource.kind === 'api' && resource.tools) faults.push(`${at}.kind: an api has no tools`);
    if (resource.kind === 'api' && resource.rateLimits) {
      faults.push(`${at}.rateLimits: count MCP messages, and an api has none`);
    }
    if (resource.kind === 'api' && isStdio(resource.target)) faults.push(`${at}.kind: a command speaks MCP`);
    if (speaksSse(resource)) {
      if (resource.kind === 'api') faults.push(`${at}.kind: an api does not speak HTTP+SSE`);
      else claim(host, legacyMessagePath(pathname), `${at}.target.transport`);
    }
    for (const [rule, one] of (resource.rateLimits ?? []).entries()) {
      faults.push(...rateLimitFaults(one).map((fault) => `${at}.rateLimits[${rule}].${fault}`));
    }
    faults.push(...targetFaults(resource.target).map((fault) => `${at}.target.${fault}`));
    const bearer = resource.identity !== 'headers' && resource.identity !== 'none';
    if (bearer && !isStdio(resource.target) && Object.keys(resource.target.headers ?? {}).some(isAuthorization)) {
      faults.push(`${at}.target.headers: Authorization already holds the identity (${at}.identity)`);
    }
    if (bearer && isStdio(resource.target)) {
      faults.push(`${at}.identity: a command learns its person by its environment: choose headers or none`);
    }
    if (resource.targetSecret && isStdio(resource.target)) {
      faults.push(`${at}.targetSecret: a command is reached by nobody else, and needs none`);
    }
    if (typeof resource.identity === 'object') {
      const { audience } = resource.identity.assertion;
      if (resources.some((other) => resourceUri(other, base) === audience)) {
        faults.push(`${at}.identity.assertion.audience: is a resource: nothing may take it for an access token`);
      }
      const first = resources.findIndex(
        ({ identity }) => typeof identity === 'object' && identity.assertion.audience === audience,
      );
      if (
        first < index &&
        describeTarget((resources[first] as ResourceConfig).target) !== describeTarget(resource.target)
      ) {
        faults.push(
          `${at}.identity.assertion.audience: is that of resources[${first}], whose target could use it here`,
        );
      }
    }
    faults.push(...scopeFaults(resource, index));
    faults.push(...toolRuleFaults(toolRules(resource)).map((fault) => `resources[${index}].${fault}`));
    for (const scope of resource.defaultScope ?? []) {
      if (!Object.hasOwn(resource.scopes, scope)) {
        faults.push(`resources[${index}].defaultScope: ${scope} is not one of its scopes`);
      }
    }
  });
  // Once all are known: another resource inside an API is itself, whichever stands first; nothing else can be reached there.
  resources.forEach((resource, index) => {
    if (resource.kind !== 'api' || (resource.path === undefined) === (resource.url === undefined)) return;
    const { host, pathname } = publicPlace(resource, base);
    for (const [place, owner] of taken) {
      if (!place.startsWith(`${host}${pathname}/`) || /^resources\[\d+\]\.(path|url|target\.transport)$/.test(owner))
        continue;
      const at = `resources[${index}].${resource.path === undefined ? 'url' : 'path'}`;
      faults.push(`${at}: below ${pathname} is ${place.slice(host.length)}, ${owner}`);
    }
  });
  return faults;
}

const isAuthorization = (name: string): boolean => name.toLowerCase() === 'authorization';

function scopeFaults({ scopes }: ResourceConfig, index: number): readonly string[] {
  const known = Object.keys(scopes);
  if (known.length === 0) return [`resources[${index}].scopes: at least one is needed`];
  // As in the library: a token that holds every one must still pass.
  return known.join(' ').length > 2048 ? [`resources[${index}].scopes: together they may have 2048 characters`] : [];
}
