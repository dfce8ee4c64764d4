/** Secrets by reference: read where the configuration says they are, all before anything is opened, and never shown. */
import { readFileSync } from 'node:fs';
import { ConfigError } from './load.ts';
import type { Config, SecretReference } from './schema.ts';
import { isStdio } from './target.ts';

/** What the references of a configuration came to. */
export interface Secrets {
  readonly keyring: ReadonlyArray<{ readonly id: string; readonly secret: string }>;
  readonly clientSecret?: string;
  /** In the order of the resources. */
  readonly targetSecrets: ReadonlyArray<string | undefined>;
  /** In the order of the resources: the headers of an HTTP target, the environment of a command. */
  readonly targetValues: ReadonlyArray<Readonly<Record<string, string>>>;
  /** In the order of the configured clients. */
  readonly clientSecrets: ReadonlyArray<string | undefined>;
}

/** Every secret, or one `ConfigError` that names each setting at fault and no value. */
export function readSecrets({
  secrets,
  identityProvider,
  resources,
  clients,
  records,
}: Pick<Config, 'secrets' | 'resources' | 'clients'> & Partial<Pick<Config, 'identityProvider' | 'records'>>): Secrets {
  const faults: string[] = [];
  const read = (setting: string, reference: SecretReference, fault: (value: string) => string | undefined): string => {
    try {
      const value = readSecret(setting, reference);
      const found = fault(value);
      if (found) faults.push(`${setting}: ${found}`);
      return value;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.faults);
      return '';
    }
  };
  const keyring = secrets.map(({ id, secret }, index) => ({
    id,
    secret: read(`secrets[${index}].secret`, secret, (value) =>
      Buffer.byteLength(value) < 32 ? 'must have at least 32 bytes; `openssl rand -base64 48` makes one' : undefined,
    ),
  }));
  const clientSecret =
    identityProvider?.clientSecret &&
    read('identityProvider.clientSecret', identityProvider.clientSecret, (value) =>
      value === '' ? 'is empty' : undefined,
    );
  // Read again by whoever opens the records; here so that its fault is said with the others.
  if (records && 'password' in records && records.password) {
    read('records.password', records.password, (value) => (value === '' ? 'is empty' : undefined));
  }
  const targetSecrets = resources.map(
    ({ targetSecret }, index) =>
      targetSecret &&
      read(`resources[${index}].targetSecret`, targetSecret, (value) =>
        // It travels in a header (RFC 9110 §5.5), and a short one can be guessed.
        /^[\x21-\x7e]{16,}$/.test(value) ? undefined : 'must be 16 or more visible ASCII characters',
      ),
  );
  const targetValues = resources.map(({ target }, index) => {
    const [place, values, unfit] = isStdio(target)
      ? (['env', target.env, /\0/] as const)
      : // RFC 9110 §5.5: a line break would be a header of its own.
        (['headers', target.headers ?? {}, /[^\x20-\x7e\t]/] as const);
    const entries = Object.entries(values).map(([name, value]): [string, string] => {
      const setting = `resources[${index}].target.${place}.${name}`;
      const fault = (text: string) => (unfit.test(text) ? 'holds characters that it must not' : undefined);
      if (typeof value !== 'string') return [name, read(setting, value, fault)];
      const found = fault(value);
      if (found) faults.push(`${setting}: ${found}`);
      return [name, value];
    });
    return Object.fromEntries(entries);
  });
  const clientSecrets = clients.map(
    ({ secret }, index) =>
      secret &&
      read(`clients[${index}].secret`, secret, (value) =>
        Buffer.byteLength(value) < 32 ? 'must have at least 32 bytes; `openssl rand -hex 32` makes one' : undefined,
      ),
  );
  if (faults.length > 0) throw new ConfigError('The configuration', faults);
  return {
    keyring,
    targetSecrets,
    targetValues,
    clientSecrets,
    ...(clientSecret !== undefined && { clientSecret }),
  };
}

/** The secret's text, or a `ConfigError` that names the setting and never the value. */
export function readSecret(
  setting: string,
  reference: SecretReference,
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): string {
  if ('env' in reference) {
    const value = Object.hasOwn(env, reference.env) ? env[reference.env] : undefined;
    if (value === undefined || value === '') {
      throw new ConfigError('The configuration', [`${setting}: the environment variable ${reference.env} is not set`]);
    }
    return value;
  }
  try {
    return readFileSync(reference.file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = missing ? `the file ${reference.file} does not exist` : (error as Error).message;
    throw new ConfigError('The configuration', [`${setting}: ${why}`]);
  }
}
