/** Redis keeps the records contract: as one server, and in a cluster. */

import { afterAll } from 'vitest';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsProcessConformance, type SharedBackend } from './conformance-processes.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { open } from './open-redis.ts';
import { startRedis } from './redis-server.ts';

const [server, node] = await Promise.all([startRedis(), startRedis({ cluster: true })]);
afterAll(async () => {
  await Promise.all([server.remove(), node.remove()]);
});

let places = 0;
const redis = (place: () => string): SharedBackend => ({
  place: async () => place(),
  open,
  module: new URL('./open-redis.ts', import.meta.url),
});
const single = redis(() => `${server.url}#p${process.pid}-${++places}`);
const cluster = redis(() => `${node.url}#p${process.pid}-${++places}#cluster`);

recordsConformance('Redis', single);
recordsInputConformance('Redis', single);
recordsVersionConformance('Redis', single);
recordsProcessConformance('Redis', single);
recordsConformance('Redis cluster', cluster);
recordsInputConformance('Redis cluster', cluster);
recordsVersionConformance('Redis cluster', cluster);
