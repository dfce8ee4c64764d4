/** Owns the shape of the DynamoDB table: the one definition that the command line, the tests and the CDK construct use. */

import type { DynamoDb } from './dynamodb-request.ts';
import { RecordsError } from './records.ts';

/**
 * `p` partition: kind and bucket. `s` sort key: the id, whose UTF-8 bytes DynamoDB orders by. `g` orders a group inside
 * its bucket by the same ids. A *local* index, because only that can be read strongly consistent; and with its keys
 * alone, so that a write that changes no group costs nothing more. `t` is what DynamoDB itself removes by, when it comes
 * to it: within days, and nobody relies on it.
 */
export function tableDefinition(tableName: string) {
  return {
    TableName: tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['p', 's', 'g'].map((name) => ({ AttributeName: name, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: 'p', KeyType: 'HASH' },
      { AttributeName: 's', KeyType: 'RANGE' },
    ],
    LocalSecondaryIndexes: [
      {
        IndexName: groupIndex,
        KeySchema: [
          { AttributeName: 'p', KeyType: 'HASH' },
          { AttributeName: 'g', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  } as const;
}

export const groupIndex = 'group';
export const timeToLiveAttribute = 't';

/** Creates the table and waits until it can be used; false: it was there. @throws RecordsError if it has another shape. */
export async function createTable(dynamoDb: DynamoDb, tableName: string): Promise<boolean> {
  const created = await dynamoDb('CreateTable', tableDefinition(tableName)).then(
    () => true,
    (error: { code?: string }) => {
      if (error.code === 'ResourceInUseException') return false;
      throw error;
    },
  );
  for (let tries = 0; ; tries++) {
    const { Table: table } = (await dynamoDb('DescribeTable', { TableName: tableName })) as { Table: Described };
    if (table.TableStatus === 'ACTIVE') {
      checkShape(table, tableName);
      break;
    }
    if (tries >= 120) throw new RecordsError(`the table ${tableName} is ${table.TableStatus} for two minutes`);
    await new Promise((resolve) => setTimeout(resolve, tries < 20 ? 50 : 1000));
  }
  await dynamoDb('UpdateTimeToLive', {
    TableName: tableName,
    TimeToLiveSpecification: { AttributeName: timeToLiveAttribute, Enabled: true },
  }).catch((error: { code?: string; message?: string }) => {
    // Switched on already; or an emulator, whose items stay.
    if (error.code !== 'ValidationException' && error.code !== 'UnknownOperationException') throw error;
  });
  return created;
}

interface Described {
  readonly TableStatus: string;
  readonly KeySchema?: ReadonlyArray<{ readonly AttributeName: string; readonly KeyType: string }>;
  readonly LocalSecondaryIndexes?: ReadonlyArray<{ readonly IndexName: string }>;
}

function checkShape({ KeySchema = [], LocalSecondaryIndexes = [] }: Described, tableName: string): void {
  const keys = KeySchema.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`)
    .sort()
    .join(', ');
  if (keys !== 'p HASH, s RANGE' || !LocalSecondaryIndexes.some(({ IndexName }) => IndexName === groupIndex)) {
    throw new RecordsError(`the table ${tableName} was not made by Gatehouse`);
  }
}
