#!/usr/bin/env node
/** Starts the command: the built file where there is one (the published package), else the source (a checkout). */
import { existsSync } from 'node:fs';

const built = new URL('../src/cli.js', import.meta.url);
if (existsSync(built) || process.features.typescript) {
  const { main } = await import(existsSync(built) ? built.href : new URL('../src/cli.ts', import.meta.url).href);
  await main(process.argv.slice(2));
} else {
  process.stderr.write(
    `local-cognito: Node ${process.version} is too old for a checkout; use \`npx local-cognito …\` there, or Node 22.18 or newer\n`,
  );
  process.exitCode = 1;
}
