/** Whether the public URL leads to a gateway with this issuer (RFC 8414 §3.3), and a stranger is asked in (RFC 9728 §5.1). */
import { resourceUri } from '../config/resource.ts';
import type { Config } from '../config/schema.ts';
import { ask } from './ask.ts';
import { type Check, type Finding, whyNot } from './finding.ts';

const name = 'public URL';

/** It may not be up yet, or not be reached from here: that alone is no fault. */
export function publicCheck({ issuer, resources }: Config): Check {
  return {
    name,
    async run(signal) {
      const { origin, pathname } = new URL(issuer);
      const url = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`;
      const answer = await ask({ url, signal }).catch((error: unknown) => ({ error }));
      if ('error' in answer) {
        return [
          found(
            'warning',
            `${origin}: ${whyNot(answer.error).says}`,
            'start the gateway, and let this address lead to it',
          ),
        ];
      }
      const said = answer.json?.issuer;
      if (answer.status !== 200 || typeof said !== 'string') {
        return [
          found(
            'warning',
            `something else answers at ${origin} (status ${answer.status})`,
            'start the gateway, and let this address lead to it, with every path as it came',
          ),
        ];
      }
      if (said !== issuer) {
        return [
          found(
            'fault',
            `a gateway with another issuer answers there: ${said.slice(0, 200)}`,
            'one of the two is wrong',
          ),
        ];
      }
      const challenges = await Promise.all(resources.map((one) => challenge(resourceUri(one, issuer), signal)));
      return [found('ok', `${issuer} leads to a gateway with this issuer`), ...challenges.flat()];
    },
  };
}

async function challenge(url: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const answer = await ask({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{}',
    signal,
  }).catch((error: unknown) => ({ error }));
  if ('error' in answer) return [found('fault', `${url}: ${whyNot(answer.error).says}`, whyNot(answer.error).cure)];
  const asked = String(answer.headers['www-authenticate'] ?? '');
  if (answer.status === 401 && /\bresource_metadata=/.test(asked)) return [];
  const what = answer.status === 401 ? 'without a challenge that says where to sign in' : `status ${answer.status}`;
  return [
    found(
      'fault',
      `${url} does not ask strangers to sign in (${what})`,
      `gatehouse doctor ${url} says what stands between`,
    ),
  ];
}

function found(outcome: Finding['outcome'], says: string, cure?: string): Finding {
  return { check: name, outcome, says, ...(cure !== undefined && { cure }) };
}
