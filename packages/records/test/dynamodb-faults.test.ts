/** What DynamoDB's troubles look like from outside, what a request looks like, and that the official client can take its place. */

import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';
import dynalite from 'dynalite';
import { afterAll, afterEach, expect, test } from 'vitest';
import { createTable, dynamoDbConnection, dynamoDbRecords, environmentCredentials } from '../src/dynamodb.ts';
import { type Records, RecordsError, RecordsUnavailableError } from '../src/records.ts';
import { kinds, type TestRecords } from './kinds.ts';
import { connect, credentials, open } from './open-dynamodb.ts';

const server = dynalite({ createTableMs: 0 });
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const port = (server.address() as AddressInfo).port;
const endpoint = `http://127.0.0.1:${port}`;
const administrator = connect(endpoint);
await createTable(administrator.send, 'records');

const closing: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await administrator.close();
  server.close();
});

function opened(place: string): Records<TestRecords> {
  const records = open(place);
  closing.push(() => records.close());
  return records;
}

type Answer = (req: IncomingMessage, body: string, res: ServerResponse) => void;

/** A server in the place of DynamoDB; gives its endpoint. */
async function inItsPlace(answer: Answer): Promise<string> {
  const stand = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    answer(req, body, res);
  });
  stand.listen(0, '127.0.0.1');
  await once(stand, 'listening');
  closing.push(() => {
    stand.closeAllConnections();
    stand.close();
  });
  return `http://127.0.0.1:${(stand.address() as AddressInfo).port}`;
}

function quick(place: string): Records<TestRecords> {
  const { send, close } = dynamoDbConnection({
    region: 'eu-central-1',
    endpoint: place,
    credentials: async () => credentials,
    connectTimeoutMs: 200,
    timeoutMs: 200,
  });
  const records = dynamoDbRecords<TestRecords>({ kinds, table: 'records', send, onClose: close });
  closing.push(() => records.close());
  return records;
}

test('nobody there, no answer, or nonsense: away, in time, and healed as soon as it is back', async () => {
  await expect(quick('http://127.0.0.1:1').get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  await expect(quick(await inItsPlace(() => {})).create('note', 'n', { text: '' })).rejects.toThrow(
    RecordsUnavailableError,
  );
  const nonsense = await inItsPlace((_, __, res) => res.writeHead(200).end('<html>'));
  await expect(quick(nonsense).get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  let broken = true;
  const passing = await inItsPlace((req, body, res) => {
    if (broken) return res.writeHead(500).end('{"__type":"InternalServerError"}');
    void fetch(endpoint, { method: 'POST', headers: headersOf(req), body }).then(async (answer) =>
      res.writeHead(answer.status).end(await answer.text()),
    );
  });
  const records = quick(passing);
  await expect(records.take('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  broken = false;
  expect(await records.create('note', 'healed', { text: '' })).toBe(true);
});

function headersOf(req: IncomingMessage): Record<string, string> {
  const names = ['authorization', 'content-type', 'x-amz-date', 'x-amz-target'];
  return Object.fromEntries(names.map((name) => [name, String(req.headers[name])]));
}

test('reads are asked again after a failure, writes only where they were throttled', async () => {
  const asked: string[] = [];
  let failure = { status: 500, type: 'InternalServerError' };
  const place = await inItsPlace((req, _, res) => {
    asked.push(String(req.headers['x-amz-target']).split('.')[1] as string);
    const { status, type } = failure;
    res.writeHead(status).end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}` }));
  });
  const records = quick(place);
  await expect(records.get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.take('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.create('note', 'n', { text: '' })).rejects.toThrow(RecordsUnavailableError);
  expect(asked.splice(0)).toEqual(['GetItem', 'GetItem', 'GetItem', 'DeleteItem', 'PutItem']);
  failure = { status: 400, type: 'ProvisionedThroughputExceededException' };
  await expect(records.take('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  expect(asked).toEqual(['DeleteItem', 'DeleteItem', 'DeleteItem']);
});

test('what an operator must mend is said in words, and never as an outage', async () => {
  await expect(opened(`${endpoint}#no-such-table`).get('note', 'n')).rejects.toThrow(
    /no table no-such-table: gatehouse records create/,
  );
  const denied = await inItsPlace((_, __, res) =>
    res.writeHead(400).end('{"__type":"x#AccessDeniedException","Message":"not yours"}'),
  );
  const error = await quick(denied)
    .get('note', 'n')
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RecordsError);
  expect(String(error)).toContain('AccessDeniedException: not yours');
  await administrator.send('CreateTable', {
    TableName: 'theirs',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  });
  await expect(createTable(administrator.send, 'theirs')).rejects.toThrow(/theirs was not made by Gatehouse/);
  expect(await createTable(administrator.send, 'records'), 'it is there').toBe(false);
  expect(() => dynamoDbConnection({ region: 'not a region' })).toThrow(RecordsError);
});

test('a value that no item can hold is refused before anything is written', async () => {
  const records = opened(`${endpoint}#records`);
  const noise = Array.from({ length: 80_000 }, () => Math.random().toString(36).slice(2, 12)).join('');
  await expect(records.create('note', 'too large', { text: noise })).rejects.toThrow(/longer than DynamoDB takes/);
  expect(await records.get('note', 'too large')).toBeUndefined();
});

test('long ids of one group differ, though the index holds only their beginning', async () => {
  const records = opened(`${endpoint}#records`);
  const ids = ['a', 'b', 'c'].map((end) => `${'ä'.repeat(511)}${end}`);
  for (const id of ids) await records.create('deck', id, { owner: 'long', title: '' });
  const page = await records.list('deck', { group: 'long' });
  expect(page.items.map(({ id }) => id).sort()).toEqual(ids);
});

test('the official client writes and reads the very same records', async () => {
  const [ours, official] = [opened(`${endpoint}#records`), opened(`${endpoint}#records#sdk`)];
  const text = 'long enough to be compressed '.repeat(200);
  expect(await official.create('note', 'shared', { text }, 4e9)).toBe(true);
  expect(await ours.create('note', 'shared', { text: '' })).toBe(false);
  const was = await ours.get('note', 'shared');
  expect(was).toEqual(await official.get('note', 'shared'));
  expect(was?.value.text).toBe(text);
  if (!was) throw new Error('no note');
  expect(await official.replace('note', was, { text: 'two' })).toBe(true);
  expect(await official.replace('note', was, { text: 'late' })).toBe(false);
  await official.create('deck', 'd1', { owner: 'ann', title: '' });
  expect((await official.list('deck', { group: 'ann' })).items).toEqual(
    (await ours.list('deck', { group: 'ann' })).items,
  );
  const takes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (i % 2 ? ours : official).take('note', 'shared')),
  );
  expect(takes.filter((value) => value !== undefined)).toEqual([{ text: 'two' }]);
  await expect(opened(`http://127.0.0.1:1#records#sdk`).get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
});

test('a request is signed as the official client signs it', async () => {
  const seen: Array<Record<string, unknown>> = [];
  const place = await inItsPlace((req, _, res) => {
    seen.push(req.headers);
    res.writeHead(200).end('{}');
  });
  const token = { ...credentials, sessionToken: 'a session' };
  const { send, close } = dynamoDbConnection({
    region: 'eu-central-1',
    endpoint: place,
    credentials: async () => token,
  });
  await send('GetItem', { TableName: 'records' });
  await close();
  const [headers] = seen;
  // By the official signer, of the same request at the same time.
  const official = new SignatureV4({
    service: 'dynamodb',
    region: 'eu-central-1',
    credentials: token,
    sha256: Sha256 as never,
    applyChecksum: false,
  });
  const date = String(headers?.['x-amz-date']);
  const signed = await official.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: '/',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        host: new URL(place).host,
        'x-amz-target': 'DynamoDB_20120810.GetItem',
      },
      body: '{"TableName":"records"}',
    } as never,
    { signingDate: new Date(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5')) },
  );
  expect(headers?.authorization).toBe((signed as unknown as { headers: Record<string, string> }).headers.authorization);
  expect(headers?.['x-amz-security-token']).toBe('a session');
});

/** What the official signer wants of a hash: SHA-256, with a key HMAC. */
class Sha256 {
  readonly #hash;
  constructor(key?: Uint8Array) {
    this.#hash = key ? createHmac('sha256', key) : createHash('sha256');
  }
  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

test('credentials: the environment’s, or the container’s, which are renewed in time', async () => {
  expect(
    await environmentCredentials({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' })(),
  ).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' });
  await expect(environmentCredentials({})()).rejects.toThrow(RecordsError);
  await expect(
    environmentCredentials({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://elsewhere.example/' })(),
  ).rejects.toThrow(RecordsError);
  let asked = 0;
  let life = 3600;
  const url = await inItsPlace((req, _, res) => {
    if (req.headers.authorization !== 'let me in') return res.writeHead(401).end();
    asked++;
    const Expiration = new Date(Date.now() + life * 1000).toISOString();
    return res
      .writeHead(200)
      .end(JSON.stringify({ AccessKeyId: `a${asked}`, SecretAccessKey: 'b', Token: 'c', Expiration }));
  });
  const source = environmentCredentials({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'let me in',
  });
  await Promise.all([source(), source(), source()]);
  expect((await source()).accessKeyId).toBe('a1');
  expect(asked).toBe(1);
  life = 60; // ends before it would be renewed
  const brief = environmentCredentials({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'let me in',
  });
  await brief();
  expect((await brief()).accessKeyId).toBe('a3');
});
