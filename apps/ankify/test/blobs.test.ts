/** Both stores of blobs by one contract: a real directory, and S3's wire protocol checked against its published model. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AwsService, credentials, region } from '../../../packages/models/test/aws-service.ts';
import { type Blobs, maxBlobBytes } from '../src/blobs/blobs.ts';
import { type DirectoryOptions, openDirectoryBlobs } from '../src/blobs/directory.ts';
import { s3Blobs } from '../src/blobs/s3.ts';
import { type Bucket, startBucket } from './s3-service.ts';

const key = `audio/${'a1'.repeat(32)}.mp3`;
const bytes = Buffer.from(Uint8Array.from({ length: 3000 }, (_, index) => (index * 7) % 256));
const mp3 = { contentType: 'audio/mpeg' };

let clock = 1_795_000_000;
const now = () => clock;
let home: string;
let opened: Array<{ close(): Promise<void> }>;
beforeEach(() => {
  clock = 1_795_000_000;
  home = mkdtempSync(join(tmpdir(), 'ankify-blobs-'));
  opened = [];
});
afterEach(async () => {
  for (const one of opened.reverse()) await one.close();
  rmSync(home, { recursive: true });
});

async function directory(options: Partial<DirectoryOptions> = {}) {
  const blobs = await openDirectoryBlobs({ directory: join(home, 'blobs'), now, ...options });
  opened.push(blobs);
  return blobs;
}

async function bucket(options: { kmsKeyId?: string; prefix?: string; now?: () => number } = {}) {
  const s3 = await startBucket(options.now);
  const client = { region, credentials, endpoint: s3.endpoint, forcePathStyle: true };
  const blobs = s3Blobs({ bucket: 'decks', client, now, ...options });
  opened.push(s3, blobs);
  return { blobs, s3 };
}

describe.each<[string, () => Promise<{ blobs: Blobs; s3?: Bucket }>]>([
  ['a directory', async () => ({ blobs: await directory() })],
  ['S3', () => bucket()],
])('%s', (_, open) => {
  test('keeps, replaces and removes', async () => {
    const { blobs, s3 } = await open();
    expect(await blobs.get(key)).toBeUndefined();
    expect(await blobs.has(key)).toBe(false);
    await blobs.put(key, bytes, mp3);
    const found = await blobs.get(key);
    expect([Buffer.from(found?.bytes ?? []).equals(bytes), found?.contentType]).toEqual([true, 'audio/mpeg']);
    await blobs.put(key, new Uint8Array(), { contentType: 'text/plain' });
    expect(await blobs.get(key)).toMatchObject({ contentType: 'text/plain' });
    expect((await blobs.get(key))?.bytes).toHaveLength(0);
    expect(await blobs.has(key)).toBe(true);
    await blobs.remove(key);
    await blobs.remove(key);
    expect(await blobs.has(key)).toBe(false);
    expect(s3?.problems ?? []).toEqual([]);
  });

  test('an expired blob is absent, whenever it is really removed', async () => {
    const { blobs } = await open();
    await blobs.put('exports/a-1.apkg', bytes, { contentType: 'application/x-apkg', expiresAt: clock + 60 });
    clock += 59;
    expect([await blobs.has('exports/a-1.apkg'), !!(await blobs.get('exports/a-1.apkg'))]).toEqual([true, true]);
    clock += 1;
    expect([await blobs.has('exports/a-1.apkg'), await blobs.get('exports/a-1.apkg')]).toEqual([false, undefined]);
  });

  test.each([
    '../../etc/passwd',
    'audio/../link.key',
    'audio/..',
    'audio/.hidden',
    'audio/-rf',
    'audio/a/b',
    'audio\\a',
    '/audio/a',
    'audio/a\0.mp3',
    'audio/a\n',
    'Audio/a',
    'audio/',
    `audio/${'a'.repeat(201)}`,
    '',
    'audio/ä',
  ])('refuses the key %j', async (hostile) => {
    const { blobs, s3 } = await open();
    for (const call of [
      () => blobs.put(hostile, bytes, mp3),
      () => blobs.get(hostile),
      () => blobs.has(hostile),
      () => blobs.remove(hostile),
      () => blobs.link(hostile, { seconds: 60, fileName: 'a', contentType: 'a/b' }),
    ]) {
      await expect(async () => call()).rejects.toThrow(TypeError);
    }
    expect(s3?.calls ?? []).toEqual([]);
  });

  test('refuses what is too large', async () => {
    const { blobs } = await open();
    await expect(async () => blobs.put(key, new Uint8Array(maxBlobBytes + 1), mp3)).rejects.toThrow(RangeError);
    expect(await blobs.has(key)).toBe(false);
  });
});

describe('in a directory', () => {
  const place = () => join(home, 'blobs', key);

  test('only this user can read, nothing but the blob is left, and it outlives the process', async () => {
    const blobs = await directory();
    await blobs.put(key, bytes, mp3);
    expect(
      [place(), join(home, 'blobs'), join(home, 'blobs', 'audio')].map((path) => statSync(path).mode & 0o777),
    ).toEqual([0o600, 0o700, 0o700]);
    expect(readdirSync(join(home, 'blobs', '.drafts'))).toEqual([]);
    expect(Buffer.from((await (await directory()).get(key))?.bytes ?? []).equals(bytes)).toBe(true);
    expect(await blobs.link(key, { seconds: 60, fileName: 'a', contentType: 'a/b' })).toBeUndefined();
  });

  test('a file that lost some of its bytes is absent, and swept; what is not ours is left alone', async () => {
    const blobs = await directory();
    await blobs.put(key, bytes, mp3);
    writeFileSync(place(), readFileSync(place()).subarray(0, 200));
    expect([await blobs.has(key), await blobs.get(key)]).toEqual([false, undefined]);
    const stranger = join(home, 'blobs', 'audio', 'letter.txt');
    writeFileSync(stranger, 'Dear Anna,\n');
    mkdirSync(join(home, 'blobs', 'audio', 'folder'));
    writeFileSync(join(home, 'blobs', 'readme'), 'x');
    await blobs.sweep();
    expect(readdirSync(join(home, 'blobs', 'audio')).sort()).toEqual(['folder', 'letter.txt']);
    expect(await blobs.has('audio/letter.txt')).toBe(false);
  });

  test('a sweep removes what has expired, and drafts of an ended process', async () => {
    const blobs = await directory();
    await blobs.put('exports/a-1.apkg', bytes, { ...mp3, expiresAt: clock + 60 });
    await blobs.put(key, bytes, mp3);
    const drafts = join(home, 'blobs', '.drafts');
    writeFileSync(join(drafts, 'old'), 'x');
    utimesSync(join(drafts, 'old'), clock - 7200, clock - 7200);
    writeFileSync(join(drafts, 'new'), 'x');
    utimesSync(join(drafts, 'new'), clock - 60, clock - 60);
    clock += 60;
    await blobs.sweep();
    expect(readdirSync(join(home, 'blobs', 'exports'))).toEqual([]);
    expect(readdirSync(drafts)).toEqual(['new']);
    expect(await blobs.has(key)).toBe(true);
  });

  test('is bounded: what was not used for longest goes', async () => {
    const blobs = await directory({ maxBytes: 11_000 });
    for (const name of ['a', 'b', 'c']) {
      await blobs.put(`audio/${name}`, bytes, mp3);
      const age = { a: 9000, b: 8000, c: 7000 }[name] ?? 0;
      utimesSync(join(home, 'blobs', 'audio', name), clock - age, clock - age);
    }
    await blobs.get('audio/a'); // used again: not the oldest any more
    await blobs.put('audio/d', bytes, mp3);
    expect(readdirSync(join(home, 'blobs', 'audio')).sort()).toEqual(['a', 'c', 'd']);
  });

  test('a hundred writers of one key leave one whole blob', async () => {
    const blobs = await directory();
    const contents = Array.from({ length: 100 }, (_, index) => Buffer.alloc(5000, index));
    const reads = contents.map(async (content) => {
      await blobs.put(key, content, mp3);
      return (await blobs.get(key))?.bytes;
    });
    for (const read of await Promise.all(reads)) {
      expect(read?.length).toBe(5000);
      expect(new Set(read).size).toBe(1);
    }
    expect(readdirSync(join(home, 'blobs', '.drafts'))).toEqual([]);
  });

  test('a directory that cannot be made is an error at the start', async () => {
    writeFileSync(join(home, 'file'), 'x');
    await expect(openDirectoryBlobs({ directory: join(home, 'file', 'blobs') })).rejects.toThrow('ENOTDIR');
  });
});

describe('in S3', () => {
  test('every request is signed and fits the published model; encrypted, without an ACL', async ({ skip }) => {
    const { blobs, s3 } = await bucket({ prefix: 'ankify/' });
    if (!s3.model && !process.env.CI) skip('BOTOCORE_DATA does not name botocore’s models');
    expect(s3.model).toBeDefined();
    await blobs.put(key, bytes, { ...mp3, expiresAt: clock + 60 });
    await blobs.has(key);
    await blobs.get(key);
    await blobs.remove(key);
    expect(s3.problems).toEqual([]);
    expect(s3.calls.map(({ operation }) => operation)).toEqual([
      'PutObject',
      'HeadObject',
      'GetObject',
      'DeleteObject',
    ]);
    const { input } = s3.calls[0] as AwsService['calls'][number];
    expect(input).toMatchObject({
      Bucket: 'decks',
      Key: `ankify/${key}`,
      ContentType: 'audio/mpeg',
      ServerSideEncryption: 'AES256',
      Metadata: { 'expires-at': String(clock + 60) },
    });
    expect(Object.keys(input).filter((name) => /ACL|Grant/.test(name))).toEqual([]);
  });

  test('a key of KMS is used where one is given', async () => {
    const { blobs, s3 } = await bucket({ kmsKeyId: 'alias/ankify' });
    await blobs.put(key, bytes, mp3);
    expect(s3.calls[0]?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/ankify',
    });
    expect(s3.problems).toEqual([]);
  });

  test('a link serves the blob under any name, until its time is over', async () => {
    let later = 0;
    const { blobs, s3 } = await bucket({ now: () => Date.now() / 1000 + later });
    await blobs.put('exports/a-1.apkg', bytes, { contentType: 'application/x-apkg' });
    const fileName = 'Größe "x"; (1)\r\nset-cookie: a=b 日本.apkg';
    const link = await blobs.link('exports/a-1.apkg', { seconds: 300, fileName, contentType: 'application/x-apkg' });
    const reply = await fetch(link ?? '');
    expect(reply.status).toBe(200);
    expect(Buffer.from(await reply.arrayBuffer()).equals(bytes)).toBe(true);
    expect(reply.headers.get('content-type')).toBe('application/x-apkg');
    expect(reply.headers.get('set-cookie')).toBeNull();
    const disposition = reply.headers.get('content-disposition') ?? '';
    expect(disposition).toMatch(/^attachment; filename="download\.apkg"; filename\*=UTF-8''[\w%.-]+$/);
    expect(decodeURIComponent(disposition.split("''")[1] ?? '')).toBe(fileName);
    expect(s3.problems).toEqual([]);
    expect((await fetch((link ?? '').replace('a-1.apkg', 'b-1.apkg'))).status).toBe(403);
    expect((await fetch((link ?? '').replace('X-Amz-Expires=300', 'X-Amz-Expires=3000'))).status).toBe(403);
    later = 301;
    expect((await fetch(link ?? '')).status).toBe(403);
    const tooLong = { seconds: 8 * 86_400, fileName: 'a', contentType: 'a/b' };
    await expect(async () => blobs.link(key, tooLong)).rejects.toThrow(RangeError);
  });

  test('a missing bucket, a refusal and an outage are errors, never “not there”', async () => {
    const { blobs, s3 } = await bucket();
    s3.fail({ status: 404, body: '<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>' });
    await expect(blobs.get(key)).rejects.toMatchObject({ name: 'NoSuchBucket' });
    s3.fail({ status: 403, body: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' });
    await expect(blobs.get(key)).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(blobs.has(key)).rejects.toThrow();
    s3.fail({ status: 503, body: '<Error><Code>SlowDown</Code><Message>no</Message></Error>' });
    await expect(blobs.put(key, bytes, mp3)).rejects.toThrow();
  });

  test('an answer that breaks off is an error, never half a blob', async () => {
    const { blobs, s3 } = await bucket();
    await blobs.put(key, bytes, mp3);
    s3.fail({ body: bytes, cutAfter: 100, headers: { 'content-type': 'audio/mpeg' } });
    await expect(blobs.get(key)).rejects.toThrow();
  });

  test('a prefix that is none is refused', () => {
    expect(() => s3Blobs({ bucket: 'decks', prefix: '../x/' })).toThrow(TypeError);
    expect(() => s3Blobs({ bucket: 'decks', prefix: 'ankify' })).toThrow(TypeError);
  });
});
