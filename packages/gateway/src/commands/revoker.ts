/** What it takes to end grants from the command line: the identity provider to be told, and the trail to be left. */
import type { AuthRecords, RevokeGrantOptions } from '@mcp-gatehouse/auth';
import { auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import type { Records } from '@mcp-gatehouse/records';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { readSecrets } from '../config/secrets.ts';
import { withoutUndefined } from '../config/without-undefined.ts';
import { providerFrom } from '../provider-from.ts';
import { keyringOf, systemSeconds } from './configured.ts';
import { note } from './usage.ts';

/** Whoever comes after learns that an operator did it: `grant.revoked`, by `operator` (docs/events.md). */
export async function withRevoker<T>(
  config: Config,
  records: Records<AuthRecords>,
  work: (options: RevokeGrantOptions) => Promise<T>,
): Promise<T> {
  const now = systemSeconds();
  const { records: kept } = config.audit;
  const trail = auditTrail({ sinks: kept ? [recordSink({ records, ...kept })] : [], now: () => now });
  try {
    return await work({
      records,
      now,
      lifetimes: withoutUndefined(config.lifetimes),
      log: trail.log,
      ...providerParts(config),
    });
  } finally {
    await trail.close();
  }
}

/** Without the provider's secret grants end all the same; only the provider is not told. */
function providerParts(config: Config): Pick<RevokeGrantOptions, 'keyring' | 'identityProvider'> {
  try {
    const { identityProvider, secrets } = config;
    const { clientSecret } = readSecrets({ identityProvider, secrets, resources: [], clients: [] });
    return { keyring: keyringOf(config), identityProvider: providerFrom(identityProvider, clientSecret) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    note(`The identity provider is not told, and its sessions run out by themselves: ${error.faults.join('; ')}`);
    return {};
  }
}
