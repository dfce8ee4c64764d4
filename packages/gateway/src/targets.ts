/** The targets of a configuration, opened: one for each resource, and one for each address that open paths lead to. */
import type { Config } from './config/schema.ts';
import type { Secrets } from './config/secrets.ts';
import { isStdio } from './config/target.ts';
import { openTarget, type Target } from './proxy/forward.ts';

export interface OpenTargets {
  /** In the order of the resources. */
  ofResource(index: number): Target;
  /** An address of an open path. */
  at(url: string): Target;
  close(): Promise<void>;
}

export function openTargets({ resources }: Pick<Config, 'resources'>, _secrets: Secrets): OpenTargets {
  const ofResources = resources.map(({ target }) => openTarget(isStdio(target) ? 'http://127.0.0.1:1/' : target.url));
  const atUrls = new Map(resources.flatMap(({ open }) => open.map(({ target }) => [target, openTarget(target)])));
  return {
    ofResource: (index) => ofResources[index] as Target,
    at: (url) => atUrls.get(url) as Target,
    async close() {
      await Promise.all([...ofResources, ...atUrls.values()].map(({ pool }) => pool.destroy()));
    },
  };
}
