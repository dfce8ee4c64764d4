/** What `gatehouse init` leaves on the disk: whole or not at all, secrets for their owner alone, nothing written over. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Answers, filesOf } from './answers.ts';
import { localPool } from './configuration.ts';

/** Who can sign in at the user pool that was written. */
export const demoPerson = { username: 'demo', password: 'Gatehouse-Demo-1' } as const;

export interface Written {
  readonly file: string;
  /** `kept`: it was there, and is used as it is. */
  readonly outcome: 'written' | 'kept';
}

/** Throws, with nothing written, if the configuration is there and may not be replaced. */
export function writeFiles(
  config: string,
  text: string,
  answers: Answers,
  { redirectUri, force }: { readonly redirectUri: string; readonly force: boolean },
): readonly Written[] {
  const { secret, clientSecret, userPool } = filesOf(config);
  mkdirSync(dirname(secret), { recursive: true });
  if (force) replace(config, text);
  else if (!create(config, text, 0o644)) throw thereAlready(config);
  // A secret that is there has sealed things: a new one would end everybody's grants.
  const written: Written[] = [
    { file: config, outcome: 'written' },
    made(secret, randomBytes(48).toString('base64url')),
  ];
  if (answers.provider !== 'local') return written;
  // 60 hexadecimal digits: an app client's secret has 64 characters at most.
  written.push(made(clientSecret, randomBytes(30).toString('hex')));
  const pool = `${JSON.stringify(poolOf(redirectUri, readFileSync(clientSecret, 'utf8').trim()), undefined, 2)}\n`;
  // It holds the client's secret as it is now, and the redirect URI.
  replace(userPool, pool, 0o600);
  return [...written, { file: userPool, outcome: 'written' }];
}

export function thereAlready(config: string): Error {
  return new Error(`${config} is there already and was left as it is: name another file, or say --force.`);
}

function poolOf(redirectUri: string, clientSecret: string) {
  return {
    poolId: localPool.id,
    users: [{ ...demoPerson, email: 'demo@example.com', attributes: { name: 'Demo User' } }],
    clients: [
      {
        clientId: localPool.clientId,
        clientName: 'Gatehouse',
        clientSecret,
        callbackUrls: [redirectUri],
        allowedScopes: ['openid', 'email', 'profile'],
      },
    ],
  };
}

function made(file: string, secret: string): Written {
  return { file, outcome: create(file, `${secret}\n`, 0o600) ? 'written' : 'kept' };
}

/** False: something is there. Whoever reads it meanwhile sees all of it or nothing. */
function create(file: string, text: string, mode: number): boolean {
  const draft = draftOf(file, text, mode);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft);
  }
}

function replace(file: string, text: string, mode = 0o644): void {
  renameSync(draftOf(file, text, mode), file);
}

function draftOf(file: string, text: string, mode: number): string {
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, text, { mode });
  return draft;
}
