/**
 * Owns one request to DynamoDB: signed (Signature Version 4), sent over kept connections, and answered or refused in
 * time. Measured against the official client it costs an eighth of the processor time; that one can take its place.
 */

import { createHash, createHmac } from 'node:crypto';
import { Pool } from 'undici';
import { type AwsCredentials, type CredentialSource, environmentCredentials } from './aws-credentials.ts';
import { RecordsError, RecordsUnavailableError } from './records.ts';

/** One operation of the API: its input and output as the JSON protocol has them. Rejects with `DynamoDbError`, or what the network says. */
export type DynamoDb = (operation: string, input: object) => Promise<Record<string, unknown>>;

/** What DynamoDB itself answered. */
export class DynamoDbError extends Error {
  override readonly name = 'DynamoDbError';
  /** Such as `ConditionalCheckFailedException`. */
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(`${code}: ${message}`);
    this.code = code;
    this.status = status;
  }
}

export interface DynamoDbOptions {
  /** `eu-central-1`; AWS_REGION unless told. */
  readonly region?: string;
  /** In the place of the region's own: DynamoDB Local, a VPC endpoint. */
  readonly endpoint?: string;
  /** The environment's unless told: Lambda's and Fargate's. For others take the official client's. */
  readonly credentials?: CredentialSource;
  readonly connectTimeoutMs?: number;
  /** For an answer: 3000 unless told. */
  readonly timeoutMs?: number;
}

export interface DynamoDbConnection {
  readonly send: DynamoDb;
  close(): Promise<void>;
}

export function dynamoDbConnection(options: DynamoDbOptions = {}): DynamoDbConnection {
  const region = options.region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (region === undefined || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) {
    throw new RecordsError('DynamoDB needs a region such as eu-central-1 (option region, or AWS_REGION)');
  }
  const endpoint = new URL(options.endpoint ?? `https://dynamodb.${region}.amazonaws.com`);
  const timeout = options.timeoutMs ?? 3000;
  const credentials = options.credentials ?? environmentCredentials();
  const pool = new Pool(endpoint.origin, {
    connections: 64,
    connect: { timeout: options.connectTimeoutMs ?? 2000 },
    headersTimeout: timeout,
    bodyTimeout: timeout,
    // DynamoDB closes after some seconds of silence; a connection it may just be closing is not used.
    keepAliveTimeout: 4000,
  });
  const sign = signer(region, endpoint.host);

  return {
    async send(operation, input) {
      const body = JSON.stringify(input);
      const headers = sign(await credentials(), operation, body, new Date());
      const answer = await pool.request({
        method: 'POST',
        path: '/',
        headers,
        body,
        signal: AbortSignal.timeout(timeout + 1000),
      });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return JSON.parse(text) as Record<string, unknown>;
      throw errorOf(answer.statusCode, text);
    },
    close: () => pool.close(),
  };
}

function errorOf(status: number, text: string): DynamoDbError {
  try {
    const { __type = '', message, Message } = JSON.parse(text) as Record<string, string | undefined>;
    return new DynamoDbError(__type.slice(__type.lastIndexOf('#') + 1), message ?? Message ?? '', status);
  } catch {
    return new DynamoDbError('UnreadableAnswer', `status ${status}`, status);
  }
}

type Sign = (credentials: AwsCredentials, operation: string, body: string, date: Date) => Record<string, string>;

/** AWS Signature Version 4 for one service, region and host; the derived key is kept for its day. */
function signer(region: string, host: string): Sign {
  let kept: { readonly of: string; readonly key: Buffer } | undefined;
  const keyOf = (secret: string, day: string): Buffer => {
    const of = `${day} ${secret}`;
    if (kept?.of !== of) {
      const key = ['dynamodb', 'aws4_request'].reduce(hmac, hmac(hmac(Buffer.from(`AWS4${secret}`), day), region));
      kept = { of, key };
    }
    return kept.key;
  };

  return ({ accessKeyId, secretAccessKey, sessionToken }, operation, body, date) => {
    const time = date.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = time.slice(0, 8);
    const headers: Record<string, string> = {
      'content-type': 'application/x-amz-json-1.0',
      host,
      'x-amz-date': time,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
      'x-amz-target': `DynamoDB_20120810.${operation}`,
    };
    const names = Object.keys(headers); // in the order of the alphabet, as written above
    const canonical = names.map((name) => `${name}:${headers[name]}\n`).join('');
    const request = `POST\n/\n\n${canonical}\n${names.join(';')}\n${sha256(body)}`;
    const scope = `${day}/${region}/dynamodb/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(request)}`;
    const signature = hmac(keyOf(secretAccessKey, day), text).toString('hex');
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    return { ...headers, authorization };
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** Not carried out, and so may be sent again: too much at once (400), or a table whose throughput is used up. */
export function isThrottled(error: unknown): boolean {
  return (
    error instanceof DynamoDbError &&
    ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded'].includes(error.code)
  );
}

/** What an operator must mend is a `RecordsError`; all else may be over in a moment. */
export function asRecordsError(error: unknown, tableName: string): Error {
  if (error instanceof RecordsError || error instanceof RecordsUnavailableError) return error;
  if (error instanceof DynamoDbError && error.status === 400 && !isThrottled(error)) {
    const words =
      error.code === 'ResourceNotFoundException'
        ? `there is no table ${tableName}: gatehouse records create makes it`
        : `DynamoDB refuses: ${error.message}`;
    return new RecordsError(words, { cause: error });
  }
  const { message = String(error) } = error as Error;
  return new RecordsUnavailableError(`DynamoDB does not answer as it should: ${message}`, { cause: error });
}
