/** What outlives a restart, in one JSON file of mode 0600 that is replaced whole or not at all. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';

const Hash = z.string().startsWith('scrypt$');

const StateSchema = z.strictObject({
  version: z.literal(1),
  poolId: z.string(),
  /** RS256 private keys as JWK (RFC 7517). */
  keys: z.strictObject({ id: z.record(z.string(), z.unknown()), access: z.record(z.string(), z.unknown()) }).optional(),
  /** Users who signed up, by `sub`. */
  users: z.record(
    z.string(),
    z.strictObject({
      username: z.string(),
      email: z.string(),
      emailVerified: z.boolean(),
      confirmed: z.boolean(),
      passwordHash: Hash,
    }),
  ),
  /** What users of the configuration file have changed since, by `sub`. */
  changes: z.record(
    z.string(),
    z.strictObject({
      passwordHash: Hash.optional(),
      confirmed: z.boolean().optional(),
      emailVerified: z.boolean().optional(),
    }),
  ),
  /** One sign-in at one client, by `origin_jti`; every refresh token of a rotation belongs to the same one. */
  grants: z.record(
    z.string(),
    z.strictObject({
      clientId: z.string(),
      sub: z.string(),
      scopes: z.array(z.string()),
      resource: z.string().optional(),
      authTime: z.number(),
      expiresAt: z.number(),
      revoked: z.boolean().optional(),
    }),
  ),
  /** Refresh tokens, by SHA-256 of the token: the file holds nothing that can be presented. */
  refreshTokens: z.record(z.string(), z.strictObject({ originJti: z.string(), rotatedAt: z.number().optional() })),
});

export type StateData = z.infer<typeof StateSchema>;
export type GrantRecord = StateData['grants'][string];

export interface State {
  readonly data: StateData;
  /** Resolves when everything changed before the call is on disk; calls made meanwhile share one write. */
  save(): Promise<void>;
  /** Resolves when no write is under way. */
  settle(): Promise<void>;
}

/** The state file cannot be used as it is; the message says what to do. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

/**
 * Opens the state, new when there is no file yet. Without a path it lives in memory.
 * @throws StateError when the file is not a state of this pool
 */
export async function openState(poolId: string, path?: string): Promise<State> {
  if (path === undefined) return { data: emptyState(poolId), save: async () => {}, settle: async () => {} };
  const data = (await readState(path, poolId)) ?? emptyState(poolId);
  let writing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const settle = async () => {
    while (writing) await writing.catch(() => {}); // whoever asked for the write is told
  };
  const save = (): Promise<void> => {
    if (writing) {
      next ??= settle().then(() => {
        next = undefined;
        return save();
      });
      return next;
    }
    writing = replaceFile(path, JSON.stringify(data)).finally(() => {
      writing = undefined;
    });
    return writing;
  };
  return { data, save, settle };
}

function emptyState(poolId: string): StateData {
  return { version: 1, poolId, users: {}, changes: {}, grants: {}, refreshTokens: {} };
}

async function readState(path: string, poolId: string): Promise<StateData | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StateError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  const startAfresh = 'choose another file, or delete this one to start afresh';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new StateError(`${path}: not JSON; ${startAfresh}`);
  }
  const result = StateSchema.safeParse(value);
  if (!result.success) throw new StateError(`${path}: not a state file of local-cognito; ${startAfresh}`);
  if (result.data.poolId !== poolId) {
    throw new StateError(`${path}: holds the state of pool ${result.data.poolId}, not ${poolId}; ${startAfresh}`);
  }
  return result.data;
}

/** Writes beside the file, flushes, renames over it: a crash leaves the old state or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
