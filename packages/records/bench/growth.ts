/**
 * How a database of grants grows: bytes a grant, and the time of each verb at 10^3, 10^5 and 10^6 of them. Prints a table;
 * docs/growth.md keeps one. `node packages/records/bench/growth.ts [sqlite|postgres|redis|memory] [sizes…]`
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kinds, Records } from '../src/records.ts';

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
type GrantRecords = { grant: { subject: string; [field: string]: unknown } };
const kinds: Kinds<GrantRecords> = { grant: { groupOf: ({ subject }) => subject } };

interface Place {
  readonly records: Records<GrantRecords>;
  /** Of everything it keeps; undefined: it cannot say. */
  bytes(): Promise<number | undefined>;
  close(): Promise<void>;
}

const now = Math.floor(Date.now() / 1000);

/** A grant as it is after its first refresh (packages/auth/src/authorization-server/grant.ts). */
function grant(subject: string): GrantRecords['grant'] {
  return {
    clientDigest: randomBytes(32).toString('base64url'),
    clientName: 'Claude',
    subject,
    identity: {
      issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123',
      subject: randomBytes(18).toString('hex'),
    },
    scope: ['generate_deck', 'list_decks'],
    resource: 'https://mcp.example.com/ankify/mcp',
    redirectUri: 'https://claude.ai/api/mcp/auth_callback',
    codeChallenge: randomBytes(32).toString('base64url'),
    createdAt: now,
    codeExpiresAt: now + 60,
    generation: 2,
    advancedAt: now,
    graceReplays: 0,
    sessionDueAt: now + 3600,
  };
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const { memoryRecords } = await import('../src/memory.ts');
    const records = memoryRecords<GrantRecords>({ kinds });
    const before = process.memoryUsage().heapUsed;
    return {
      records,
      bytes: async () => process.memoryUsage().heapUsed - before,
      close: () => records.close(),
    };
  },
  async sqlite() {
    const { sqliteRecords } = await import('../src/sqlite.ts');
    const folder = mkdtempSync(join(tmpdir(), 'growth-'));
    const file = join(folder, 'records.sqlite');
    const records = sqliteRecords<GrantRecords>({ kinds, file });
    return {
      records,
      // What was written and is not yet in its place stands in the log beside it.
      bytes: async () => statSync(file).size + (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0),
      async close() {
        await records.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
  async postgres() {
    const { startPostgres } = await import('../test/postgres-server.ts');
    const { postgresRecords } = await import('../src/postgres.ts');
    const { default: pg } = await import('pg');
    const server = await startPostgres();
    const records = postgresRecords<GrantRecords>({
      kinds,
      connectionString: server.url,
      connectTimeoutMs: 60_000,
      statementTimeoutMs: 60_000,
    });
    return {
      records,
      async bytes() {
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        const { rows } = await client.query(`SELECT pg_total_relation_size('gatehouse_records') AS bytes`);
        await client.end();
        return Number(rows[0].bytes);
      },
      async close() {
        await records.close();
        await server.remove();
      },
    };
  },
  async redis() {
    const { startRedis } = await import('../test/redis-server.ts');
    const { redisRecords } = await import('../src/redis.ts');
    const server = await startRedis();
    const used = () => Number(/^used_memory:(\d+)/m.exec(server.command('INFO', 'memory'))?.[1]);
    const before = used();
    const records = redisRecords<GrantRecords>({ kinds, url: server.url, commandTimeoutMs: 60_000 });
    return {
      records,
      bytes: async () => used() - before,
      async close() {
        await records.close();
        await server.remove();
      },
    };
  },
};

const measured = 2000;
const inFlight = 512;

/** Every one of `count` with a bounded number at once. */
async function times(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** The median of one after the other, in microseconds. */
async function median(work: (index: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < measured; i++) {
    const start = process.hrtime.bigint();
    await work(i);
    taken.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return taken.sort((a, b) => a - b)[measured / 2] as number;
}

const ids: string[] = [];
const subjects: string[] = [];
const some = () => ids[Math.floor(Math.random() * ids.length)] as string;

async function measure(name: string, sizes: readonly number[]): Promise<void> {
  const place = await (places[name] as () => Promise<Place>)();
  const { records } = place;
  ids.length = subjects.length = 0;
  for (const size of sizes) {
    const started = Date.now();
    const missing = size - ids.length;
    await times(missing, async () => {
      const id = randomBytes(16).toString('base64url');
      // Three connections a person.
      const subject =
        subjects.length > 0 && Math.random() < 0.67
          ? (subjects.at(-1) as string)
          : randomBytes(32).toString('base64url');
      if (subjects.at(-1) !== subject) subjects.push(subject);
      await records.create('grant', id, grant(subject), now + 30 * 86_400);
      ids.push(id);
    });
    const filled = (Date.now() - started) / 1000;
    const bytes = await place.bytes();
    const own = Array.from({ length: measured }, () => randomBytes(16).toString('base64url'));
    const create = await median((i) =>
      records.create('grant', own[i] as string, grant(own[i] as string), now + 86_400),
    );
    const get = await median(() => records.get('grant', some()));
    const read = await Promise.all(own.map((id) => records.get('grant', id)));
    const replace = await median((i) => {
      const was = read[i];
      return was ? records.replace('grant', was, was.value, now + 86_400) : Promise.resolve();
    });
    const list = await median(() =>
      records.list('grant', { group: subjects[Math.floor(Math.random() * subjects.length)] as string }),
    );
    const take = await median((i) => records.take('grant', own[i] as string));
    const cell = (value: number) => value.toFixed(0).padStart(6);
    process.stdout.write(
      `| ${name} | ${size.toLocaleString('en')} | ${bytes === undefined ? '' : Math.round(bytes / ids.length)} | ${cell(get)} | ${cell(create)} | ${cell(replace)} | ${cell(take)} | ${cell(list)} | ${Math.round(missing / filled).toLocaleString('en')} |\n`,
    );
  }
  await place.close();
}

const [which, ...given] = process.argv.slice(2);
const chosen = which === undefined ? Object.keys(places) : [which];
const sizes = given.length > 0 ? given.map(Number) : [1000, 100_000, 1_000_000];
process.stdout.write(
  '| | grants | bytes a grant | get | create | replace | take | list of a person | filled, a second |\n|---|---|---|---|---|---|---|---|---|\n',
);
for (const name of chosen) await measure(name, sizes);
