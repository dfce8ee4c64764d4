/** Owns how the suite and its other processes open DynamoDB: `endpoint#table`, with `sdk` behind it for the official client. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoDbConnection, dynamoDbRecords } from '../src/dynamodb.ts';
import { dynamoDbSdk } from '../src/dynamodb-sdk.ts';
import { kinds, type TestRecords } from './kinds.ts';

export const credentials = { accessKeyId: 'test', secretAccessKey: 'a secret of the tests' };

export function connect(endpoint: string) {
  return dynamoDbConnection({
    region: 'eu-central-1',
    endpoint,
    credentials: async () => credentials,
    timeoutMs: 20_000,
  });
}

export function open(place: string, now?: () => number, using = kinds) {
  const [endpoint = '', table = '', sdk] = place.split('#');
  if (sdk === 'sdk') {
    const client = new DynamoDBClient({ region: 'eu-central-1', endpoint, credentials, maxAttempts: 1 });
    const onClose = async () => client.destroy();
    return dynamoDbRecords<TestRecords>({
      kinds: using,
      table,
      send: dynamoDbSdk(client),
      onClose,
      ...(now && { now }),
    });
  }
  const { send, close } = connect(endpoint);
  return dynamoDbRecords<TestRecords>({ kinds: using, table, send, onClose: close, ...(now && { now }) });
}
