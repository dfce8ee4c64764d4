/** Open paths, where one stands below another (configuration `open`). */
import { expect, it } from 'vitest';
import { startGateway } from './harness.ts';
import { startTarget } from './target.ts';

it.each([
  ['/files', '/files/special'],
  ['/files/special', '/files'],
])('of %s and %s the longer open path answers what is below both', async (...paths) => {
  const target = await startTarget();
  const open = paths.map((path) => ({ path, target: `${target.url}/${path.length}` }));
  const gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp`, open }]);
  await fetch(gateway.url('/files/special/a'));
  await fetch(gateway.url('/files/other'));
  await gateway.close();
  await target.close();
  expect(target.seen.map(({ url }) => url)).toEqual(['/14/a', '/6/other']);
});
