/** The database of a configuration, opened: a back-end and its driver are imported only where they are chosen. */
import { readFileSync } from 'node:fs';
import { type AuthRecords, authKinds } from '@mcp-gatehouse/auth';
import type { Records } from '@mcp-gatehouse/records';
import { ConfigError } from './config/load.ts';
import type { RecordsConfig } from './config/records.ts';
import { readSecret } from './config/secrets.ts';
import { withoutUndefined } from './config/without-undefined.ts';

/** `now` in seconds since the epoch; the clock hook of the tests. */
export async function openRecords(config: RecordsConfig, now?: () => number): Promise<Records<AuthRecords>> {
  const shared = { kinds: authKinds, ...(now && { now }) };
  const password =
    'password' in config && config.password ? { password: readSecret('records.password', config.password) } : {};
  switch (config.type) {
    case 'memory':
      return (await import('@mcp-gatehouse/records/memory')).memoryRecords<AuthRecords>(shared);
    case 'sqlite':
      return (await import('@mcp-gatehouse/records/sqlite')).sqliteRecords<AuthRecords>({
        ...shared,
        file: config.file,
      });
    case 'postgres': {
      const { type: _, certificateAuthorityFile: file, password: __, ...rest } = config;
      const { postgresRecords } = await import('@mcp-gatehouse/records/postgres');
      const certificateAuthority = file !== undefined && { certificateAuthority: readCertificate(file) };
      return postgresRecords<AuthRecords>({
        ...shared,
        ...withoutUndefined(rest),
        ...certificateAuthority,
        ...password,
      });
    }
    case 'redis': {
      const { type: _, password: __, ...rest } = config;
      const { redisRecords } = await import('@mcp-gatehouse/records/redis');
      return redisRecords<AuthRecords>({ ...shared, ...withoutUndefined(rest), ...password });
    }
    case 'dynamodb': {
      const { type: _, table, ...rest } = config;
      const { dynamoDbConnection, dynamoDbRecords } = await import('@mcp-gatehouse/records/dynamodb');
      const { send, close } = dynamoDbConnection(withoutUndefined(rest));
      return dynamoDbRecords<AuthRecords>({ ...shared, table, send, onClose: close });
    }
  }
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError('The configuration', [
      `records.certificateAuthorityFile: cannot be read: ${(error as Error).message}`,
    ]);
  }
}
