/**
 * One gateway process whose clock the tests can set, as an operator's hand or a bad time server does: the command line
 * itself, over a `Date` that is shifted by what the parent last said. Timers go on as they were, as after a real step.
 */
import { flushCompileCache } from 'node:module';
import { main } from '../../packages/gateway/src/cli.ts';

const RealDate = Date;
let shiftMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...parts: readonly unknown[]) {
    if (parts.length === 0) super(RealDate.now() + shiftMs);
    else super(...(parts as [number]));
  }
  static override now(): number {
    return RealDate.now() + shiftMs;
  }
} as DateConstructor;

process.on('message', (message: { shiftSeconds: number }) => {
  // Whoever is killed leaves nothing behind, and the next one has to start quickly.
  flushCompileCache();
  shiftMs = message.shiftSeconds * 1000;
  process.send?.({ shiftSeconds: message.shiftSeconds });
});

process.exitCode = await main(process.argv.slice(2));
// The channel to the parent would keep the process.
process.disconnect?.();
