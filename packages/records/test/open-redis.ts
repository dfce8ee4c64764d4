/** Owns how the suite and its other processes open Redis: `url#prefix`, with `cluster` behind it for one. */

import { redisRecords } from '../src/redis.ts';
import { kinds, type TestRecords } from './kinds.ts';

export function open(place: string, now?: () => number, using = kinds) {
  const [url = '', prefix = '', cluster] = place.split('#');
  return redisRecords<TestRecords>({
    kinds: using,
    url,
    prefix,
    cluster: cluster === 'cluster',
    connectTimeoutMs: 20_000,
    commandTimeoutMs: 20_000,
    ...(now && { now }),
  });
}
