/** Secrets by reference: read where the configuration says they are, and never shown. */
import { readFileSync } from 'node:fs';
import { ConfigError } from './load.ts';
import type { SecretReference } from './schema.ts';

/** The secret's text, or a `ConfigError` that names the setting and never the value. */
export function readSecret(setting: string, reference: SecretReference, env: NodeJS.ProcessEnv = process.env): string {
  if ('env' in reference) {
    const value = env[reference.env];
    if (value === undefined || value === '') {
      throw new ConfigError('The configuration', [`${setting}: the environment variable ${reference.env} is not set`]);
    }
    return value;
  }
  try {
    return readFileSync(reference.file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new ConfigError('The configuration', [`${setting}: ${(error as Error).message}`]);
  }
}
