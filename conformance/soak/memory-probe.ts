/** Loaded into the gateway's process by `--import`: says over the process channel what it holds, after a full collection. */

process.on('message', (question) => {
  if (question !== 'memory') return;
  // Twice: what the first round finalizes, the second can free.
  (globalThis as { gc?: () => void }).gc?.();
  (globalThis as { gc?: () => void }).gc?.();
  process.send?.(process.memoryUsage());
});
// Nobody's process may live on because it can be asked.
process.channel?.unref();
