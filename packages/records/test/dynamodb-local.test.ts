/** DynamoDB Local, Amazon's own emulator, sees the contract kept as well, where Java and its jars are at hand (`DYNAMODB_LOCAL`). */

import { afterAll, beforeAll, describe } from 'vitest';
import { createTable } from '../src/dynamodb.ts';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsProcessConformance, type SharedBackend } from './conformance-processes.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { type DynamoDbLocal, dynamoDbLocal, startDynamoDbLocal } from './dynamodb-local.ts';
import { connect, open } from './open-dynamodb.ts';

describe.runIf(dynamoDbLocal !== undefined)('where it is at hand', () => {
  let server: DynamoDbLocal;
  let administrator: ReturnType<typeof connect>;
  let places = 0;
  beforeAll(async () => {
    server = await startDynamoDbLocal(dynamoDbLocal as string);
    administrator = connect(server.endpoint);
  });
  afterAll(async () => {
    await administrator?.close();
    await server?.stop();
  });

  const backend: SharedBackend = {
    async place() {
      const table = `table-${++places}`;
      await createTable(administrator.send, table);
      return `${server.endpoint}#${table}`;
    },
    open,
    module: new URL('./open-dynamodb.ts', import.meta.url),
  };
  recordsConformance('DynamoDB Local', backend);
  recordsInputConformance('DynamoDB Local', backend);
  recordsVersionConformance('DynamoDB Local', backend);
  recordsProcessConformance('DynamoDB Local', backend);
});
