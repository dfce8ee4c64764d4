/**
 * Blobs in a bucket of Amazon S3, encrypted at rest and without any ACL: the bucket is private, and a presigned address
 * is the only way in for others. Objects that have expired are absent here; a lifecycle rule of the bucket removes them.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Blobs, checkKey, checkSize, maxBlobBytes } from './blobs.ts';
import { attachment } from './content-disposition.ts';

export interface S3Options {
  readonly bucket: string;
  /** A name of a key of KMS; default: S3's own keys (SSE-S3). */
  readonly kmsKeyId?: string;
  /** Before every key, such as `ankify/`. */
  readonly prefix?: string;
  /** Region, endpoint, credentials: the client's own. */
  readonly client?: Pick<S3ClientConfig, 'region' | 'endpoint' | 'credentials' | 'forcePathStyle'>;
  /** Seconds since the epoch. */
  readonly now?: () => number;
}

/** Metadata of the object, in seconds: a lifecycle rule counts days, an expiry does not. */
const expiresAtName = 'expires-at';
/** Signature version 4 allows no more. */
const maxLinkSeconds = 7 * 24 * 3600;

/** Calls reject with what the client says: `AccessDenied`, `NoSuchBucket`, a network error. */
export function s3Blobs(options: S3Options): Blobs {
  const { bucket, kmsKeyId, prefix = '', now = () => Date.now() / 1000 } = options;
  if (prefix !== '' && !/^([A-Za-z0-9_][A-Za-z0-9._-]{0,100}\/){1,5}$/.test(prefix)) {
    throw new TypeError('prefix: names and slashes, with a slash at its end, such as ankify/');
  }
  const client = new S3Client({
    ...options.client,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5000,
      requestTimeout: 30_000,
      socketTimeout: 30_000,
      throwOnRequestTimeout: true,
    }),
  });
  const placeOf = (key: string) => ({ Bucket: bucket, Key: prefix + checkKey(key) });
  const hasExpired = (metadata: Record<string, string> | undefined) => {
    const expiresAt = Number(metadata?.[expiresAtName] ?? Number.POSITIVE_INFINITY);
    return !(expiresAt > now());
  };
  return {
    async put(key, bytes, { contentType, expiresAt }) {
      const place = placeOf(key);
      checkSize(key, bytes);
      await client.send(
        new PutObjectCommand({
          ...place,
          Body: bytes,
          ContentType: contentType,
          ...(kmsKeyId === undefined
            ? { ServerSideEncryption: 'AES256' }
            : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId, BucketKeyEnabled: true }),
          ...(expiresAt !== undefined && { Metadata: { [expiresAtName]: String(expiresAt) } }),
        }),
      );
    },
    async get(key) {
      const place = placeOf(key);
      const found = await client.send(new GetObjectCommand(place)).catch(ignoreMissing);
      if (!found?.Body) return undefined;
      if (hasExpired(found.Metadata)) {
        await found.Body.transformToWebStream().cancel();
        return undefined;
      }
      if ((found.ContentLength ?? 0) > maxBlobBytes) {
        await found.Body.transformToWebStream().cancel();
        throw new RangeError(`the object ${place.Key} is larger than ${maxBlobBytes} bytes: it is none of ours`);
      }
      return {
        bytes: await found.Body.transformToByteArray(),
        contentType: found.ContentType ?? 'application/octet-stream',
      };
    },
    async has(key) {
      const found = await client.send(new HeadObjectCommand(placeOf(key))).catch(ignoreMissing);
      return found !== undefined && !hasExpired(found.Metadata);
    },
    async remove(key) {
      await client.send(new DeleteObjectCommand(placeOf(key)));
    },
    async link(key, { seconds, fileName, contentType }) {
      const place = placeOf(key);
      if (!(seconds >= 1 && seconds <= maxLinkSeconds))
        throw new RangeError(`a link lives 1 to ${maxLinkSeconds} seconds`);
      const extension = /\.[a-z0-9]+$/.exec(key)?.[0] ?? '';
      const command = new GetObjectCommand({
        ...place,
        ResponseContentDisposition: attachment(fileName, `download${extension}`),
        ResponseContentType: contentType,
      });
      return getSignedUrl(client, command, { expiresIn: Math.floor(seconds), signingDate: new Date(now() * 1000) });
    },
    async close() {
      client.destroy();
    },
  };
}

/** S3 says 404 to who may list the bucket; to others 403, which is an error here: the role needs `s3:ListBucket`. */
function ignoreMissing(error: unknown): undefined {
  if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 404) throw error;
  if ((error as Error).name === 'NoSuchBucket') throw error;
  return undefined;
}
