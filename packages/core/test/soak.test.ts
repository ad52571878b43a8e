import { execFile } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { Random } from '../soak/random.ts';
import { settingsFrom } from '../soak/settings.ts';
import { type Sample, trendOf } from '../soak/trend.ts';

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly tookMs: number;
}

const soak = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const startedAt = performance.now();
    const options = ['--expose-gc', '--conditions=@evercache/source'];
    const file = new URL('../soak/run.ts', import.meta.url).pathname;
    const child = execFile(process.execPath, [...options, file, ...args], (_, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr, tookMs: performance.now() - startedAt });
    });
  });

test('eight seconds of everything, all at random, end well and by themselves', { timeout: 60_000 }, async () => {
  const { code, output, tookMs } = await soak('--seconds', '8');
  expect(output).toMatch(/^soak: 8 seconds, seed \d+$/m);
  expect(output, output).toContain('verdict: passed');
  expect(code).toBe(0);
  expect(tookMs).toBeLessThan(40_000);
});

test.each([
  [['--minuets', '1'], 'unknown option "--minuets"'],
  [['--seconds', 'ten'], 'option "--seconds": expected a number of 0 or more, got "ten"'],
  [['--minutes'], 'option "--minutes": expected a number of 0 or more, got ""'],
  [['--seconds', '-8'], 'option "--seconds": expected a number of 0 or more, got "-8"'],
  [['--minutes', '0.01'], 'expected a run of 8 seconds or more, got 0.6'],
])('%s is refused', (args, message) => {
  expect(() => settingsFrom(args)).toThrow(message);
});

test('a run takes ten minutes unless told otherwise', () => {
  expect(settingsFrom([]).seconds).toBe(600);
  expect(settingsFrom(['--minutes', '2', '--seed', '7'])).toEqual({ seconds: 120, seed: 7 });
});

describe('the trend of samples', () => {
  /** One sample a second: a level, a slope, and noise in which `memory` of each sample is left in the next. */
  const samples = (slope: number, { count = 100, noise = 1, memory = 0, seed = 1 } = {}): Sample[] => {
    const random = new Random(seed);
    let drift = 0;
    return Array.from({ length: count }, (_, seconds) => {
      drift = memory * drift + noise * (random.next() + random.next() - random.next() - random.next());
      return { seconds, value: 50 + slope * seconds + drift };
    });
  };

  test('is what the samples grow by', () => {
    const trend = trendOf(samples(0.5, { noise: 0 }));
    expect(trend).toMatchObject({ seconds: 99, samples: 100 });
    expect(trend.growth).toBeCloseTo(49.5);
    expect(trend.mean).toBeCloseTo(50 + 0.5 * 49.5);
    expect(trend.most - trend.least).toBeCloseTo(0);
  });

  test.each([0, 0.5, 0.9])('is bounded so that flat samples seldom seem to grow (memory %f)', (memory) => {
    const surelyGrown = Array.from({ length: 500 }, (_, seed) => trendOf(samples(0, { memory, seed }))).filter(
      ({ least }) => least > 0,
    );
    expect(surelyGrown.length).toBeLessThan(15);
  });

  test('is found in noise', () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const { least, most } = trendOf(samples(0.05, { seed }));
      expect(least).toBeGreaterThan(0);
      expect([least < 0.05 * 99, most > 0.05 * 99]).toEqual([true, true]);
    }
  });

  test('needs samples', () => {
    expect(() => trendOf(samples(1, { count: 3 }))).toThrow(RangeError);
  });
});
