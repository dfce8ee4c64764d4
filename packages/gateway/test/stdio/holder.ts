/** A process that starts a stubborn stdio server, says its process id, and dies of a fault. */
import { fileURLToPath } from 'node:url';
import { startChild } from '../../src/stdio/child.ts';

const child = startChild({
  target: 'held',
  command: process.execPath,
  args: [fileURLToPath(new URL('scripted-server.ts', import.meta.url)), '--ignore-term', '--banner'],
  environment: {},
  maxMessageBytes: 1024,
  log: () => {},
  now: () => 0,
  // Its banner: it ignores the polite signal by now.
  onLine: () => {
    process.stdout.write(`${child.pid}\n`, () => {
      throw new Error('meant to happen');
    });
  },
  onLong: () => {},
  onEnded: () => {},
});
