/** `npm start`: the gateway, the local sign-in and Ankify, with nothing configured. PORT moves all of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { announcement } from '../packages/gateway/src/commands/serve.ts';
import { checkConfig, createLog, localConfig, serve } from '../packages/gateway/src/serve.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const port = Number(process.env.PORT ?? 8080);
if (!Number.isInteger(port) || port < 1 || port > 65_534) throw new Error('PORT must be a port from 1 to 65534.');
const dataDir = process.env.GATEHOUSE_DATA ?? join(root, '.gatehouse');
const issuer = `http://localhost:${port}`;

/** Short-lived tokens show refreshing at work; 15 minutes unless told. */
const accessTokenSeconds = Number(process.env.GATEHOUSE_ACCESS_TOKEN_SECONDS ?? 900);

// Listened for before anything says that it runs.
const asked = new Promise((resolve) => {
  process.once('SIGINT', resolve);
  process.once('SIGTERM', resolve);
});

/** Only the gateway knows it: nobody else on this computer can pretend to be somebody's gateway. */
const secretVariable = 'GATEHOUSE_ANKIFY_SECRET';
process.env[secretVariable] = randomBytes(32).toString('base64url');

const { process: ankify, url: ankifyUrl } = await startAnkify();
const local = { dataDir, issuer, signInPort: port + 1 };
const config = checkConfig('npm start', {
  ...localConfig(local),
  listen: { port },
  lifetimes: { accessTokenSeconds },
  resources: [
    {
      path: '/ankify/mcp',
      name: 'Ankify',
      target: `${ankifyUrl}/mcp`,
      targetSecret: { env: secretVariable },
      scopes: {
        generate_deck: 'make, export and delete decks of flashcards for you',
        list_decks: 'see your decks and their cards',
      },
      open: [{ path: '/ankify/exports', target: `${ankifyUrl}/exports` }],
    },
  ],
});

const settings = { port: 'PORT', signInPort: 'PORT (the sign-in page takes the port after it)', host: 'the host' };
const gateway = await serve(config, { log: createLog(process.stderr.isTTY ? 'text' : 'json'), local, settings }).catch(
  async (error: unknown) => {
    await stop(ankify);
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
process.stdout.write(announcement(gateway.url, gateway.servers, true));

const ended = once(ankify, 'exit').then(() => 'ankify');
const reason = await Promise.race([ended, asked]);
if (reason === 'ankify') process.stderr.write('Ankify ended by itself; its words are above.\n');
await gateway.close();
await stop(ankify);
process.exitCode = reason === 'ankify' ? 1 : 0;

async function startAnkify(): Promise<{ process: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [join(root, 'apps/ankify/src/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ANKIFY_PUBLIC_URL: `${issuer}/ankify`,
      ANKIFY_DATA: join(dataDir, 'ankify'),
      ANKIFY_GATEWAY_SECRET: process.env[secretVariable],
    },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^\{"event":"ankify\.listening","url":"([^"]+)"\}$/.exec(line)?.[1];
    if (url !== undefined) return { process: child, url };
  }
  throw new Error('Ankify did not start; its words are above.');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
