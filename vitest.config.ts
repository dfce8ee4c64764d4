import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'conformance/**/*.test.ts', 'tools/**/*.test.ts'],
    environment: 'node',
    // Two cores, real servers and browsers: generous limits, so that a slow machine is not a failing test.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
