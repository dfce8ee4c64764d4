/** The soak itself, for a few seconds, so that it is fit to be run for hours; and the line that judges memory. */
import { describe, expect, it } from 'vitest';
import { judge, type Sample, slope } from './memory.ts';
import { bounds, soak, summary } from './soak.ts';

const seconds = Number(process.env.GATEHOUSE_SOAK_SECONDS ?? 15);

it('everything at once: no answer that should not be, memory below its ceiling, an end in order', {
  timeout: (seconds + 60) * 1000,
}, async () => {
  const report = await soak({ seconds });
  expect(report.unexpected, summary(report)).toEqual([]);
  expect(report.verdict.faults, summary(report)).toEqual([]);
  expect(report.exitCode).toBe(0);
  // Nothing was left out.
  expect([...report.done].filter(([, count]) => count === 0)).toEqual([]);
});

describe('the line through the samples', () => {
  const line = (heapPerMinute: number, residentPerMinute = 0): Sample[] =>
    Array.from({ length: 120 }, (_, at) => ({
      at: at * 10,
      // Noise that goes up and down and nowhere.
      heapMegabytes: 40 + (at % 2) + (heapPerMinute * at) / 6,
      residentMegabytes: 150 + (at % 3) + (residentPerMinute * at) / 6,
    }));

  it('noise is flat, and what grows is found, in the heap and outside of it', () => {
    expect(judge(line(0), 300, bounds).faults).toEqual([]);
    expect(judge(line(1), 300, bounds)).toMatchObject({ faults: [expect.stringMatching(/^the heap grows/)] });
    expect(judge(line(0, 5), 300, bounds).faults).toEqual([expect.stringMatching(/^resident memory grows/)]);
    expect(judge(line(1), 300, bounds).heapMegabytesPerMinute).toBeCloseTo(1, 1);
  });

  it('what grew before the warm-up was over does not count, and the ceiling does', () => {
    const samples = line(0).map((sample) => (sample.at < 300 ? { ...sample, heapMegabytes: sample.at / 10 } : sample));
    expect(judge(samples, 300, bounds).faults).toEqual([]);
    const high = line(0).map((sample) => ({ ...sample, heapMegabytes: 500 }));
    expect(judge(high, 300, bounds).faults).toEqual([expect.stringMatching(/^the heap ends at/)]);
    expect(judge([], 300, bounds).faults).not.toEqual([]);
  });

  it('of one point there is no line', () => {
    expect(slope([[1, 2]])).toBe(0);
    expect(
      slope([
        [0, 1],
        [1, 3],
      ]),
    ).toBe(2);
  });
});
