/** DynamoDB keeps the records contract, in one process and among several: on dynalite. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import dynalite from 'dynalite';
import { afterAll } from 'vitest';
import { createTable } from '../src/dynamodb.ts';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsProcessConformance, type SharedBackend } from './conformance-processes.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { connect, open } from './open-dynamodb.ts';

const server = dynalite({ createTableMs: 0 });
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const administrator = connect(endpoint);
afterAll(async () => {
  await administrator.close();
  server.close();
});

let places = 0;
const dynamoDb: SharedBackend = {
  async place() {
    const table = `table-${++places}`;
    await createTable(administrator.send, table);
    return `${endpoint}#${table}`;
  },
  open,
  module: new URL('./open-dynamodb.ts', import.meta.url),
};

recordsConformance('DynamoDB', dynamoDb);
recordsInputConformance('DynamoDB', dynamoDb);
recordsVersionConformance('DynamoDB', dynamoDb);
recordsProcessConformance('DynamoDB', dynamoDb);
