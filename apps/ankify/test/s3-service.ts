/** A bucket that keeps its objects in memory and speaks S3's wire protocol, as far as Ankify does. */
import { type AwsAnswer, type AwsService, startAwsService } from '../../../packages/models/test/aws-service.ts';

export interface Bucket extends AwsService {
  /** Every request from now on is answered so. */
  fail(answer: AwsAnswer): void;
}

interface Kept {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export async function startBucket(now: () => number = () => Date.now() / 1000): Promise<Bucket> {
  const objects = new Map<string, Kept>();
  let failure: AwsAnswer | undefined;
  const service = await startAwsService({
    service: 's3',
    operations: {
      PutObject: 'PUT /{Bucket}/{Key+}',
      GetObject: 'GET /{Bucket}/{Key+}',
      HeadObject: 'HEAD /{Bucket}/{Key+}',
      DeleteObject: 'DELETE /{Bucket}/{Key+}',
    },
    now: () => now() * 1000,
    answer({ operation, input, headers, query, body }): AwsAnswer {
      if (failure) return failure;
      const place = `${input.Bucket}/${input.Key}`;
      const xml = { 'content-type': 'application/xml' };
      if (operation === 'PutObject') {
        const kept = Object.entries(headers).filter(
          ([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'),
        );
        objects.set(place, { body, headers: Object.fromEntries(kept) });
        return { headers: { ...xml, etag: '"1"' } };
      }
      if (operation === 'DeleteObject') {
        objects.delete(place);
        return { status: 204 };
      }
      const found = objects.get(place);
      const missing = '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>';
      if (!found) return { status: 404, headers: xml, body: operation === 'HeadObject' ? '' : missing };
      const asked = {
        'content-type': query.get('response-content-type'),
        'content-disposition': query.get('response-content-disposition'),
      };
      const given = Object.entries(asked).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
      return {
        headers: { ...found.headers, ...Object.fromEntries(given) },
        body: operation === 'HeadObject' ? '' : found.body,
      };
    },
  });
  return Object.assign(service, {
    fail(answer: AwsAnswer) {
      failure = answer;
    },
  });
}
