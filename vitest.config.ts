import { defineConfig } from 'vitest/config';

/** What runs for long and uses both cores by itself: alone, after the others, one file at a time. */
const proofs = ['conformance/{fuzz,histories,instances,simulator,soak,streams}/**/*.test.ts'];

export default defineConfig({
  test: {
    environment: 'node',
    // Two cores, real servers and browsers: generous limits, so that a slow machine is not a failing test.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['{packages,apps}/*/test/**/*.test.ts', 'conformance/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: proofs,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'proofs', include: proofs, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
