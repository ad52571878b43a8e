import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Bench, Measurement } from '../bench.ts';
import { ours } from '../check/better.ts';
import { checkBench } from '../check/check-bench.ts';
import { type Result, readResult } from '../results.ts';

const options = { quick: false, large: false, seconds: undefined, progress: (): void => {} };
const refresh = readResult('refresh')!;
const refreshLarge = readResult('refresh-large')!;

/** Finds what it is told to, one run after the other. */
function benchOf(...runs: readonly Result[]): Bench & { readonly run: ReturnType<typeof vi.fn> } {
  const left = [...runs];
  return {
    title: 'a bench',
    hasLargeSets: true,
    better: ours(/^(evercache|\d+ rows changed)/),
    run: vi.fn(async () => left.shift()!),
  };
}

function worse({ measurements, ...result }: Result): Result {
  const twice = (row: Measurement): Measurement => (row.ratio === null ? row : { ...row, ratio: row.ratio * 2 });
  return { ...result, measurements: measurements.map(twice) };
}

describe('a check of a bench', () => {
  let lines: string[];
  beforeEach(() => {
    lines = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  });
  afterEach(() => vi.restoreAllMocks());
  const printed = (): string => lines.join('\n');

  test('is content with what is as good as committed, and measures once', async () => {
    const bench = benchOf(refresh);
    expect(await checkBench('refresh', bench, options)).toBe(true);
    expect(bench.run).toHaveBeenCalledTimes(1);
    expect(printed()).toMatch(/^refresh: \d+ figures of ours, 0 worse than committed beyond the noise$/);
  });

  test('fails with a line for each figure that two runs find worse', async () => {
    expect(await checkBench('refresh', benchOf(worse(refresh), worse(refresh)), options)).toBe(false);
    expect(printed()).toMatch(
      /refresh: 100000 rows in memory, all new: evercache: time: committed .* x, now .* x, allowed up to .* x/,
    );
  });

  test('is content where the second run does not find it worse', async () => {
    expect(await checkBench('refresh', benchOf(worse(refresh), refresh), options)).toBe(true);
  });

  test('compares large sets with the results of large sets', async () => {
    expect(await checkBench('refresh', benchOf(refreshLarge), { ...options, large: true })).toBe(true);
    const small = benchOf(refresh, refresh);
    expect(await checkBench('refresh', small, { ...options, large: true })).toBe(false);
    expect(printed()).toMatch(/1000000 rows, on loopback: 0 rows changed: time: committed .* now missing/);
  });

  test('compares a bench that has none with its only results, with large sets or without', async () => {
    const { hasLargeSets: _, ...bench } = benchOf(refresh);
    expect(await checkBench('refresh', bench, { ...options, large: true })).toBe(true);
  });

  test('measures nothing where there is nothing to compare with, and says how to get it', async () => {
    const bench = benchOf();
    expect(await checkBench('no-such', bench, { ...options, large: true })).toBe(false);
    expect(bench.run).not.toHaveBeenCalled();
    expect(printed()).toBe('no-such: no results/no-such-large.json to compare with; npm run bench saves it');
  });
});
