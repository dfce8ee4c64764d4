/** Owns the official client in the place of our own requests: for profiles, SSO and whatever else only it can do. */

import * as sdk from '@aws-sdk/client-dynamodb';
import { type DynamoDb, DynamoDbError } from './dynamodb-request.ts';

/**
 * Give the client `maxAttempts: 1`: it sends a write again whose answer was lost, and the condition that the first one
 * met is then not met any more.
 */
export function dynamoDbSdk(client: Pick<sdk.DynamoDBClient, 'send'>): DynamoDb {
  return async (operation, input) => {
    const command = commands[operation];
    if (!command) throw new TypeError(`no such operation: ${operation}`);
    try {
      const output = await client.send(new command(withBytes(input) as never) as never);
      return withText(output) as Record<string, unknown>;
    } catch (error) {
      const { name, message, $metadata } = error as sdk.DynamoDBServiceException;
      const status = $metadata?.httpStatusCode;
      // Without a status nothing was answered: the network's error goes on as it is.
      throw status === undefined ? error : new DynamoDbError(name, message, status);
    }
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the commands share no narrower constructor.
const commands: Readonly<Record<string, (new (input: never) => any) | undefined>> = {
  GetItem: sdk.GetItemCommand,
  PutItem: sdk.PutItemCommand,
  DeleteItem: sdk.DeleteItemCommand,
  Query: sdk.QueryCommand,
  CreateTable: sdk.CreateTableCommand,
  DescribeTable: sdk.DescribeTableCommand,
  UpdateTimeToLive: sdk.UpdateTimeToLiveCommand,
};

/** The client takes and gives bytes where the protocol has base64. */
function withBytes(value: unknown): unknown {
  return mapped(value, (name, one) =>
    name === 'B' && typeof one === 'string' ? Buffer.from(one, 'base64') : undefined,
  );
}

function withText(value: unknown): unknown {
  return mapped(value, (_, one) => (one instanceof Uint8Array ? Buffer.from(one).toString('base64') : undefined));
}

function mapped(value: unknown, change: (name: string, one: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => mapped(one, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, change(name, one) ?? mapped(one, change)]),
  );
}
