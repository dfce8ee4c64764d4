/** What one person has allowed and not taken back: their grants, the newest first. */
import type { Records, Stored } from '@mcp-gatehouse/records';
import type { Grant } from './grant.ts';

/** As many as are ever read for one person at once; the rest is seen when some of these are gone. */
export const maxConnections = 2000;

export async function liveGrants(
  records: Records<{ grant: Grant }>,
  subject: string,
  now: number,
): Promise<readonly Stored<Grant>[]> {
  const found: Stored<Grant>[] = [];
  let after: string | undefined;
  do {
    const page = await records.list('grant', { group: subject, limit: 500 }, after);
    found.push(...page.items.filter(({ value }) => isLive(value, now)));
    after = page.next;
  } while (after !== undefined && found.length < maxConnections);
  // Records come in the order of their ids, which are random.
  return found.sort((a, b) => b.value.createdAt - a.value.createdAt || (a.id < b.id ? -1 : 1));
}

/** A code that nobody redeemed in time gave nobody anything. */
export function isLive({ endedAt, generation, codeExpiresAt }: Grant, now: number): boolean {
  return endedAt === undefined && (generation > 0 || now < codeExpiresAt);
}
