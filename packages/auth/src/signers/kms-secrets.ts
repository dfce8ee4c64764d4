/**
 * Secrets of the keyring that a key management service keeps: data keys, wrapped in the records, unwrapped once at start
 * (envelope encryption). Who reads the database or the configuration has nothing; who stops using the KMS key has nothing.
 */
import { type Records, update } from '@mcp-gatehouse/records';
import type { StoredDataKeys } from '../authorization-server/records.ts';
import type { KeyringSecret } from '../sealing/keyring.ts';
import { askKms, type EncryptionContext, type KmsClient } from './kms-client.ts';

/** The kind of record this needs; part of `AuthRecords`. */
export type DataKeyRecords = { dataKeys: StoredDataKeys };

export interface KmsSecretsOptions {
  readonly client: Pick<KmsClient, 'generateDataKey' | 'decrypt'>;
  /** A symmetric KMS key: what new data keys are wrapped with. Those that are there keep theirs. */
  readonly keyId: string;
  /** Of the deployment: a data key of one is not unwrapped for another. */
  readonly issuer: string;
  readonly records: Records<DataKeyRecords>;
  readonly now: () => number;
  /** Until a call counts as unanswered; 3 unless given. */
  readonly timeoutSeconds?: number;
}

const recordId = 'secrets';
const maxDataKeys = 10;

/** For the option `secrets`. Makes the first data key where there is none. Throws `temporarily_unavailable` without KMS. */
export async function kmsSecrets(options: KmsSecretsOptions): Promise<readonly KeyringSecret[]> {
  const { client, records, issuer, timeoutSeconds = 3 } = options;
  const stored = (await records.get('dataKeys', recordId)) ?? (await firstDataKey(options));
  return Promise.all(
    stored.value.keys.map(async ({ id, keyId, wrapped }) => {
      const request = { keyId, ciphertext: Buffer.from(wrapped, 'base64'), encryptionContext: context(issuer, id) };
      const secret = await askKms(timeoutSeconds, (signal) => client.decrypt(request, signal));
      return { id, secret };
    }),
  );
}

/** Of several instances that start together one creates; all use what was written. */
async function firstDataKey(options: KmsSecretsOptions) {
  const { records } = options;
  await records.create('dataKeys', recordId, { made: 1, keys: [await wrappedKey(options, 'd1')] });
  const stored = await records.get('dataKeys', recordId);
  if (!stored) throw new Error('The data key was written but cannot be read back.');
  return stored;
}

/**
 * The first step of a change: a new data key, last in the list. Every instance that starts from now on accepts it and
 * none uses it. Gives its id; undefined: there are ten already, remove one.
 */
export async function addDataKey(options: KmsSecretsOptions): Promise<string | undefined> {
  return update<DataKeyRecords, 'dataKeys', string | undefined>(
    options.records,
    'dataKeys',
    recordId,
    async (stored) => {
      const keys = stored?.value.keys ?? [];
      if (keys.length >= maxDataKeys) return { result: undefined };
      const made = (stored?.value.made ?? 0) + 1;
      const id = `d${made}`;
      return { write: { value: { made, keys: [...keys, await wrappedKey(options, id)] } }, result: id };
    },
  );
}

/** The second step, once every instance has been started again: this one makes new values. False: no such data key. */
export async function promoteDataKey({ records }: Pick<KmsSecretsOptions, 'records'>, id: string): Promise<boolean> {
  return changed(records, (keys) => {
    const found = keys.find((key) => key.id === id);
    return found && [found, ...keys.filter((key) => key !== found)];
  });
}

/**
 * The last step, once what the old key made has expired: it is accepted no more. False: no such data key, or it is the
 * one that makes new values.
 */
export async function removeDataKey({ records }: Pick<KmsSecretsOptions, 'records'>, id: string): Promise<boolean> {
  return changed(records, (keys) =>
    keys.findIndex((key) => key.id === id) > 0 ? keys.filter((key) => key.id !== id) : undefined,
  );
}

function changed(
  records: Records<DataKeyRecords>,
  change: (keys: StoredDataKeys['keys']) => StoredDataKeys['keys'] | undefined,
): Promise<boolean> {
  return update<DataKeyRecords, 'dataKeys', boolean>(records, 'dataKeys', recordId, (stored) => {
    const keys = stored && change(stored.value.keys);
    return stored && keys ? { write: { value: { ...stored.value, keys } }, result: true } : { result: false };
  });
}

async function wrappedKey(options: KmsSecretsOptions, id: string): Promise<StoredDataKeys['keys'][number]> {
  const { client, keyId, issuer, now, timeoutSeconds = 3 } = options;
  const encryptionContext = context(issuer, id);
  const { plaintext, ciphertext } = await askKms(timeoutSeconds, (signal) =>
    client.generateDataKey({ keyId, encryptionContext }, signal),
  );
  // It is unwrapped when it is needed; until then it is nowhere.
  plaintext.fill(0);
  return { id, keyId, createdAt: now(), wrapped: Buffer.from(ciphertext).toString('base64') };
}

function context(issuer: string, id: string): EncryptionContext {
  return { issuer, purpose: 'gatehouse-secrets', id };
}
