/** Loaded into the gateway's process by `--import`: says over the process channel what it holds, as it is or after a full collection. */

export interface Usage {
  readonly rss: number;
  readonly heapUsed: number;
  /** Outside of the heap, array buffers among it. */
  readonly external: number;
  /** The most that was ever resident, in bytes. */
  readonly peak: number;
}

process.on('message', (question) => {
  if (question !== 'usage' && question !== 'collected') return;
  if (question === 'collected') {
    // Twice: what the first round finalizes, the second can free.
    (globalThis as { gc?: () => void }).gc?.();
    (globalThis as { gc?: () => void }).gc?.();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const usage: Usage = { rss, heapUsed, external, peak: process.resourceUsage().maxRSS * 1024 };
  process.send?.(usage);
});
// Nobody's process may live on because it can be asked.
process.channel?.unref();
