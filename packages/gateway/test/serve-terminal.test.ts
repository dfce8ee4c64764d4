/** `gatehouse serve` with a person at the terminal who presses Ctrl+C while a call is open. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { run } from './command.ts';
import { freePort } from './harness.ts';
import { startTarget } from './target.ts';
import { keys, terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-serve-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('says what it waits for, and a second Ctrl+C ends it', async () => {
  const target = await startTarget();
  const [port, signInPort] = [await freePort(), await freePort()].map(String);
  const flags = ['--target', `${target.url}/mcp`, '--port', String(port), '--sign-in-port', String(signInPort)];
  const shown = terminal(['serve', '--local', ...flags], { cwd: folder });
  await shown.said('press Ctrl+C to stop');
  const token = (await run(['token'], { cwd: folder })).stdout.trim();
  const arrived = target.arrival();
  const headers = { authorization: `Bearer ${token}` };
  const call = fetch(`http://localhost:${port}/mcp`, { method: 'POST', body: '{}', headers });
  const cut = expect(call).rejects.toThrow();
  await arrived;
  shown.type(keys.cancel);
  await shown.said('Stopping: calls have up to 10 s to end. Ctrl+C again cuts them now.');
  shown.type(keys.cancel);
  expect((await shown.ended).code).toBe(1);
  await cut;
  await target.close();
});

it('a command without -- before it is told where it stands', async () => {
  for (const words of [
    ['npx', 'server'],
    ['npx', '-y', 'server'],
  ]) {
    const { code, stderr } = await run(['serve', '--local', ...words]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('serve --local -- npx') });
  }
});
