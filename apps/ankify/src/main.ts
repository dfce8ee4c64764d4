/** `node src/main.ts`: Ankify from the environment, on SQLite. README.md lists the variables. */
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Model } from '@mcp-gatehouse/models';
import { modelFromEnvironment } from '@mcp-gatehouse/models/environment';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import type { Blobs } from './blobs/blobs.ts';
import { openDirectoryBlobs } from './blobs/directory.ts';
import { readEnvironment, type Settings } from './environment.ts';
import { type ServerRecords, serverKinds } from './rooms.ts';
import { startAnkify } from './server.ts';
import { type PageServer, startPage } from './session/page-server.ts';
import { espeakSpeech, NoSpeechProgram } from './speech/espeak.ts';
import type { Speech } from './speech/speech.ts';
import { type LogEvent, scopes } from './tools/tool-context.ts';

/** Standard output carries the one line that a supervisor waits for. */
function log(event: LogEvent): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
}

async function main(): Promise<void> {
  const settings = readEnvironment(process.env);
  const { data, port, host, publicUrl, secret, quotas } = settings;
  const [model, speech] = await allOf(modelFromEnvironment(process.env), speechFrom(settings));
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const linkKey = readOrMakeKey(join(data, 'link.key'));
  const blobs = await blobsFrom(settings);
  const records = sqliteRecords<ServerRecords>({ kinds: serverKinds, file: join(data, 'ankify.sqlite') });
  const closing: Array<() => Promise<void>> = [() => blobs.close(), () => records.close()];
  const close = async () => {
    for (const end of closing.splice(0)) await end();
  };
  let page: PageServer | undefined;
  try {
    const ankify = await startAnkify({
      records,
      publicUrl,
      linkKey,
      blobs,
      quotas,
      port,
      host,
      log,
      ...(speech && { speech }),
      ...(model && { model }),
      ...(secret !== undefined && { secret }),
    });
    // What answers ends before what it answers from.
    closing.unshift(() => ankify.close());
    if (settings.page) {
      const scope = `${scopes.write} ${scopes.read}`;
      page = await startPage({ ...settings.page, publicUrl, key: linkKey, scope, host, log });
      closing.unshift(page.close);
    }
    const parts = { speech: speech?.provider ?? 'off', model: model?.name ?? 'none', blobs: settings.blobs.type };
    log({ event: 'ankify.parts', ...parts, ...(settings.page && { page: settings.page.pageUrl }) });
    const line = { event: 'ankify.listening', url: ankify.url, ...(page && { page: settings.page?.pageUrl }) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } catch (error) {
    await close();
    throw error;
  }
  const stop = () => void close();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** Both, or an `Error` with the words of both. */
async function allOf(model: Promise<Model | undefined>, speech: Promise<Speech | undefined>) {
  const [made, spoken] = await Promise.allSettled([model, speech]);
  const faults = [made, spoken].flatMap((part) => (part.status === 'rejected' ? [wordsOf(part.reason)] : []));
  if (made.status === 'rejected' || spoken.status === 'rejected') throw new Error(faults.join('\n'));
  return [made.value, spoken.value] as const;
}

async function speechFrom({ speech, voices }: Settings): Promise<Speech | undefined> {
  if (speech === 'off') return undefined;
  // Only who uses a cloud's engine loads its client.
  if (speech === 'polly') return (await import('./speech/polly.ts')).pollySpeech({ voices });
  const engine = espeakSpeech({ voices });
  return engine.catch((error: unknown) => {
    // Where it is a matter of what is installed, being without it is no fault; a wrong voice is one.
    if (speech === 'installed' && error instanceof NoSpeechProgram) return undefined;
    throw new Error(`ANKIFY_SPEECH: ${wordsOf(error)}`);
  });
}

async function blobsFrom({ blobs, data }: Settings): Promise<Blobs> {
  if (blobs.type === 'directory') {
    return openDirectoryBlobs({
      directory: join(data, 'blobs'),
      onError: (error) => log({ event: 'blobs.sweep_failed', error: wordsOf(error) }),
    });
  }
  const { s3Blobs } = await import('./blobs/s3.ts');
  return s3Blobs({ bucket: blobs.bucket, ...(blobs.prefix !== undefined && { prefix: blobs.prefix }) });
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

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`ankify cannot start:\n${wordsOf(error)}\n`);
  process.exitCode = 1;
});
