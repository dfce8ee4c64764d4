/** Every requirement we know of, each with the tests that show it; `docs/requirements.md` is made from it. */
import { authorizationEndpoints } from './requirements/authorization-endpoints.ts';
import { authorizationServer } from './requirements/authorization-server.ts';
import { gatewayPromises } from './requirements/gateway-promises.ts';
import { proxy } from './requirements/proxy.ts';
import { reliabilityPromises } from './requirements/reliability-promises.ts';
import type { Requirement } from './requirements/requirement.ts';
import { resourceServer } from './requirements/resource-server.ts';
import { securityPromises } from './requirements/security-promises.ts';

export const requirements: readonly Requirement[] = [
  ...authorizationServer,
  ...authorizationEndpoints,
  ...proxy,
  ...resourceServer,
  ...securityPromises,
  ...reliabilityPromises,
  ...gatewayPromises,
];

/** The ids there are, by what the specification's reading and our promises came to: a row cannot be lost unseen. */
export const requirementIds: readonly string[] = [
  ...numbered('AS', [1, 8], [10, 31], [40, 49], [60, 69]),
  ...numbered('PX', [1, 6]),
  ...numbered('RS', [1, 28]),
  ...numbered('SEC', [1, 19]),
  ...numbered('REL', [1, 7]),
  ...numbered('GW', [1, 10]),
];

function numbered(prefix: string, ...ranges: ReadonlyArray<readonly [first: number, last: number]>): readonly string[] {
  return ranges.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => `${prefix}-${String(first + i).padStart(2, '0')}`),
  );
}
