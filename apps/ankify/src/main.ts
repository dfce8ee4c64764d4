/** `node src/main.ts`: Ankify from the environment, on SQLite. README.md lists the variables. */
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { type AnkifyRecords, ankifyKinds } from './decks/deck.ts';
import { startAnkify } from './server.ts';

async function main(): Promise<void> {
  const { port, publicUrl, data, secret } = readEnvironment(process.env);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const linkKey = readOrMakeKey(join(data, 'link.key'));
  const records = sqliteRecords<AnkifyRecords>({ kinds: ankifyKinds, file: join(data, 'ankify.sqlite') });
  const ankify = await startAnkify({
    records,
    publicUrl,
    linkKey,
    port,
    ...(secret !== undefined && { secret }),
    // Standard output carries the one line that a supervisor waits for.
    log: (event) => process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`),
  });
  process.stdout.write(`${JSON.stringify({ event: 'ankify.listening', url: ankify.url })}\n`);
  const stop = () => {
    void ankify.close().then(() => records.close());
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** Every fault of the environment at once, each with its variable's name. */
function readEnvironment(environment: NodeJS.ProcessEnv) {
  const faults: string[] = [];
  const { ANKIFY_PORT = '0', ANKIFY_PUBLIC_URL, ANKIFY_DATA, ANKIFY_GATEWAY_SECRET } = environment;
  const port = Number(ANKIFY_PORT);
  if (!/^[0-9]{1,5}$/.test(ANKIFY_PORT) || port > 65_535) faults.push('ANKIFY_PORT: a port from 0 (any) to 65535');
  if (!ANKIFY_PUBLIC_URL) faults.push('ANKIFY_PUBLIC_URL: missing, such as http://localhost:8080/ankify');
  if (!ANKIFY_DATA) faults.push('ANKIFY_DATA: missing, the directory for the decks');
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return {
    port,
    publicUrl: ANKIFY_PUBLIC_URL as string,
    data: ANKIFY_DATA as string,
    secret: ANKIFY_GATEWAY_SECRET || undefined,
  };
}

/** Two processes that start at once get the same key: the file appears whole, and only the first one's does. */
function readOrMakeKey(file: string): Uint8Array {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(file, 0o600);
  } finally {
    rmSync(draft);
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (key.length < 32) throw new Error(`ANKIFY_DATA: ${file} is not a key; restore it, or delete it to make a new one`);
  return key;
}

main().catch((error: unknown) => {
  process.stderr.write(`ankify cannot start:\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
