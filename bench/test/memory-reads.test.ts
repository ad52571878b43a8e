import { expect, test } from 'vitest';
import type { BenchReport } from '../bench.ts';
import { memory } from '../memory.ts';
import { reads } from '../reads.ts';
import { stampede } from '../stampede.ts';

const quick = { quick: true, large: false, seconds: undefined, progress: (): void => {} };

function unmeasured({ measurements }: BenchReport): unknown[] {
  return measurements.filter(({ value }) => !(value >= 0));
}

test('a smoke run of reads measures everything that its targets speak of', { timeout: 120_000 }, async () => {
  const report = await reads.run(quick);
  expect(unmeasured(report)).toEqual([]);
  expect(report.targets).toHaveLength(9);
});

test('a smoke run of memory measures everything that its targets speak of', { timeout: 60_000 }, async () => {
  const report = await memory.run(quick);
  expect(unmeasured(report)).toEqual([]);
  expect(report.targets).toHaveLength(2);
});

test('a crowd at a cold key is one call of the source, at a hundred keys a hundred calls', {
  timeout: 60_000,
}, async () => {
  const report = await stampede.run(quick);
  expect(unmeasured(report)).toEqual([]);
  const calls = report.measurements.filter(({ metric }) => metric === 'calls of the source');
  expect(calls.map(({ value }) => value)).toEqual([1, 100]);
});
