/** `npm start`: the gateway, the local sign-in, Ankify and its page, with nothing configured. PORT moves all of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { announcement } from '../packages/gateway/src/commands/serve.ts';
import {
  type Config,
  checkConfig,
  createLog,
  type LocalOptions,
  localConfig,
  serve,
} from '../packages/gateway/src/serve.ts';
import { isPageStale } from './build-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Only the gateway knows it: nobody else on this computer can pretend to be somebody's gateway. */
const secretVariable = 'GATEHOUSE_ANKIFY_SECRET';
process.env[secretVariable] = randomBytes(32).toString('base64url');

/** The page's client at the gateway. Its secret may be another at every start: nothing that is kept depends on it. */
const pageClient = 'ankify-page';
const pageSecretVariable = 'GATEHOUSE_ANKIFY_PAGE_SECRET';
process.env[pageSecretVariable] = randomBytes(32).toString('base64url');

const scopes = {
  generate_deck: 'make, change, export and delete decks of flashcards for you, and record their speech',
  list_decks: 'see your decks and their cards',
};

/** Where Ankify will listen is not known yet; everything else is checked before anything is started. */
const anyTarget = 'http://127.0.0.1:1';

let ankify: ChildProcess | undefined;
// Whatever ends this process, Ankify ends too.
process.once('exit', () => ankify?.kill('SIGTERM'));

// Listened for before anything says that it runs.
const asked = new Promise<'asked'>((resolve) => {
  process.once('SIGINT', () => resolve('asked'));
  process.once('SIGTERM', () => resolve('asked'));
});

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function run(): Promise<number> {
  const local = readEnvironment();
  const port = Number(new URL(local.issuer).port || 80);
  configuration(local, port, anyTarget);
  if (isPageStale() && (await Promise.race([buildPage(), asked])) === 'asked') return 0;

  const started = await Promise.race([startAnkify(local), asked]);
  if (started === 'asked') return 0;
  const config = configuration(local, port, started.url);
  const settings = { port: 'PORT', signInPort: 'PORT (the sign-in page takes the one after it)', host: 'the host' };
  const log = createLog(process.stderr.isTTY ? 'text' : 'json');
  const gateway = await serve(config, { log, local, settings });
  process.stdout.write(
    `${announcement(gateway.url, gateway.servers, true)}Ankify in your browser: ${pageUrlOf(local)}\n\n`,
  );

  const reason = await Promise.race([started.ended, asked]);
  if (reason !== 'asked') process.stderr.write('Ankify ended by itself; its words are above.\n');
  await gateway.close();
  ankify?.kill('SIGTERM');
  await started.ended;
  return reason === 'asked' ? 0 : 1;
}

function readEnvironment(): LocalOptions {
  const text = process.env.PORT || '8080';
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_533) {
    throw new Error(
      `PORT is ${JSON.stringify(text)}; it must be a port from 1 to 65533: the two after it are used, too.`,
    );
  }
  const dataDir = process.env.GATEHOUSE_DATA || join(root, '.gatehouse');
  return { dataDir, issuer: new URL(`http://localhost:${port}`).origin, signInPort: port + 1 };
}

/** The one after the sign-in page's. */
function pageUrlOf({ signInPort }: LocalOptions): string {
  return `http://localhost:${signInPort + 1}`;
}

/** A page that cannot be built stops nothing else: its address then says so. */
async function buildPage(): Promise<'built' | 'failed'> {
  process.stderr.write('Building the page…\n');
  const child = spawn(process.execPath, [join(root, 'tools/build-page.ts')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code === 0) return 'built';
  process.stderr.write('The page could not be built; the words are above. Everything else starts.\n');
  return 'failed';
}

function configuration(local: LocalOptions, port: number, ankifyUrl: string): Config {
  // Short-lived tokens show refreshing at work; 15 minutes unless told.
  const accessTokenSeconds = Number(process.env.GATEHOUSE_ACCESS_TOKEN_SECONDS || 900);
  return checkConfig('npm start', {
    ...localConfig(local),
    listen: { port },
    lifetimes: { accessTokenSeconds },
    resources: [
      {
        path: '/ankify/mcp',
        name: 'Ankify',
        target: `${ankifyUrl}/mcp`,
        targetSecret: { env: secretVariable },
        scopes,
        open: [{ path: '/ankify/exports', target: `${ankifyUrl}/exports` }],
      },
      {
        path: '/ankify/api',
        name: 'Ankify',
        kind: 'api',
        target: `${ankifyUrl}/api`,
        targetSecret: { env: secretVariable },
        scopes,
      },
    ],
    clients: [
      {
        id: pageClient,
        name: 'Ankify in your browser',
        secret: { env: pageSecretVariable },
        redirectUris: [`${pageUrlOf(local)}/signed-in`],
      },
    ],
    allowedOrigins: [pageUrlOf(local)],
  });
}

async function startAnkify(local: LocalOptions): Promise<{ url: string; ended: Promise<'ended'> }> {
  const { issuer, dataDir } = local;
  const child = spawn(process.execPath, [join(root, 'apps/ankify/src/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ANKIFY_PUBLIC_URL: `${issuer}/ankify`,
      ANKIFY_DATA: join(dataDir, 'ankify'),
      ANKIFY_GATEWAY_SECRET: process.env[secretVariable],
      ANKIFY_PAGE_PORT: new URL(pageUrlOf(local)).port,
      ANKIFY_PAGE_URL: pageUrlOf(local),
      ANKIFY_PAGE_CLIENT_ID: pageClient,
      ANKIFY_PAGE_CLIENT_SECRET: process.env[pageSecretVariable],
    },
  });
  ankify = child;
  const ended = once(child, 'exit').then(() => 'ended' as const);
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^\{"event":"ankify\.listening","url":"([^"]+)"[,}]/.exec(line)?.[1];
    if (url !== undefined) return { url, ended };
  }
  throw new Error(`Ankify did not start; its words are above. Its data directory is ${join(dataDir, 'ankify')}.`);
}
