/** Owns a further process on a database of the conformance suite: does one job a line from stdin, answers in a line. */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Records, type Stored, update } from '../src/records.ts';
import type { TestRecords } from './kinds.ts';

/** What `open-….ts` of a back-end exports. */
interface Opener {
  open(place: string): Records<TestRecords>;
}

export type Job =
  | { readonly do: 'open'; readonly place: string }
  | { readonly do: 'take' | 'create'; readonly id: string; readonly by: string }
  | { readonly do: 'replace'; readonly was: Stored<TestRecords['note']>; readonly by: string }
  | { readonly do: 'count'; readonly id: string; readonly times: number }
  | { readonly do: 'write until killed' }
  | { readonly do: 'fill until refused' }
  | { readonly do: 'write through failures'; readonly count: number }
  | { readonly do: 'close' };

/** Parallel calls of each process in a race. */
const runners = [1, 2, 3];

const { open } = (await import(process.argv[2] as string)) as Opener;
let records: Records<TestRecords>;

async function perform(job: Job): Promise<unknown> {
  switch (job.do) {
    case 'open':
      records = open(job.place);
      return await records.create('note', `opened by ${process.pid}`, { text: '' });
    case 'take':
      return await Promise.all(runners.map(async () => (await records.take('note', job.id)) !== undefined));
    case 'create':
      return await Promise.all(runners.map(() => records.create('note', job.id, { text: job.by })));
    case 'replace':
      return await Promise.all(runners.map(() => records.replace('note', job.was, { text: job.by })));
    case 'count':
      for (let i = 0; i < job.times; i++) await increment(job.id);
      return job.times;
    case 'write until killed':
      return await writeUntilKilled();
    case 'fill until refused':
      return await fillUntilRefused();
    case 'write through failures':
      return await writeThroughFailures(job.count);
    case 'close':
      return await records.close();
  }
}

function increment(id: string): Promise<number> {
  return update(
    records,
    'counter',
    id,
    (stored) => {
      const n = (stored?.value.n ?? 0) + 1;
      return { write: { value: { n } }, result: n };
    },
    { tries: 1000 },
  );
}

/** Says a number when, and only when, everything up to it was acknowledged. */
async function writeUntilKilled(): Promise<never> {
  for (let n = 1; ; n++) {
    const kept = records.create('note', `kept ${n}`, { text: 'x'.repeat(200) });
    const passing = records.create('note', `passing ${n}`, { text: '' });
    await Promise.all([kept, passing, increment('written')]);
    await records.take('note', `passing ${n}`);
    writeSync(1, `${n}\n`);
  }
}

/** Writes until the disk gives no more, then says what was acknowledged, what refused it, and what can still be read. */
async function fillUntilRefused(): Promise<unknown> {
  for (let n = 0; ; n++) {
    try {
      await records.create('note', `n${n}`, { text: 'x'.repeat(20_000) });
    } catch (error) {
      const again = await records.create('note', 'more', { text: 'x'.repeat(20_000) }).catch((e: Error) => e.name);
      const readable = (await records.get('note', `n${n - 1}`)) !== undefined;
      return { acknowledged: n, refused: (error as Error).name, again, readable };
    }
  }
}

/** Writes one after another whatever becomes of each, then says what was acknowledged, and what refused the others. */
async function writeThroughFailures(count: number): Promise<unknown> {
  const acknowledged: number[] = [];
  const refused: Record<number, string> = {};
  for (let n = 0; n < count; n++) {
    try {
      await records.create('note', `n${n}`, { text: `${n} `.repeat(4000) });
      acknowledged.push(n);
    } catch (error) {
      refused[n] = (error as Error).name;
    }
  }
  return { acknowledged, refused };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await perform(JSON.parse(line) as Job).catch((error: unknown) => ({ failed: String(error) }));
  writeSync(1, `${JSON.stringify(answer ?? null)}\n`);
}
