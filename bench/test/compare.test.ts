import { describe, expect, test } from 'vitest';
import { agentLoad } from '../agent-load.ts';
import type { Bench, Measurement } from '../bench.ts';
import { evercache } from '../check/better.ts';
import { compare, describeWorse, worseInBoth } from '../check/compare.ts';
import { derive } from '../derive.ts';
import { http } from '../http.ts';
import { memory } from '../memory.ts';
import { reads } from '../reads.ts';
import { refresh } from '../refresh.ts';
import { readResult } from '../results.ts';
import { stampede } from '../stampede.ts';

const row = (change: Partial<Measurement> = {}): Measurement => ({
  case: 'hit',
  contender: 'evercache',
  metric: 'time per read',
  value: 20,
  unit: 'ns',
  ratio: 1.2,
  ...change,
});

/** Whether each judged figure has become worse. */
function isWorse(committed: Measurement, measured: Partial<Measurement>, better = evercache): boolean[] {
  const runs = { committed: [committed], measured: [{ ...committed, ...measured }] };
  return compare(runs, better).map((judgement) => judgement.isWorse);
}

describe('a ratio', () => {
  test('that is worse beyond the least noise is worse', () => {
    expect(isWorse(row(), { ratio: 1.27 })).toEqual([true]);
  });

  test('that is within it, the same, or better is not', () => {
    for (const ratio of [1.25, 1.2, 1, 0.1]) expect(isWorse(row(), { ratio })).toEqual([false]);
  });

  test('counts, not the time: a slower machine is not worse', () => {
    expect(isWorse(row(), { value: 2000 })).toEqual([false]);
  });

  test('that is no number, or no longer there, is worse', () => {
    expect(isWorse(row(), { ratio: Number.NaN })).toEqual([true]);
    expect(isWorse(row(), { ratio: null })).toEqual([true]);
  });
});

describe('the noise floor', () => {
  test('is three times what both rows say of their noise', () => {
    const noisy = row({ noise: 2 });
    expect(isWorse(noisy, { ratio: 1.2 * 1.14, noise: 3 })).toEqual([false]);
    expect(isWorse(noisy, { ratio: 1.2 * 1.16, noise: 3 })).toEqual([true]);
    expect(isWorse(noisy, { ratio: 1.2 * 1.14, noise: 1 })).toEqual([true]);
  });

  test('of rows that agree by chance is what is usual in their run', () => {
    const calm = row({ noise: 0.01 });
    const others = ['a', 'b'].map((contender) => row({ contender, noise: 2 }));
    const [judgement] = compare({ committed: [calm, ...others], measured: [calm, ...others] }, evercache);
    expect(judgement!.limit).toBeCloseTo(1.2 * 1.12);
  });

  test('of what was not repeated is the least, however noisy the others are', () => {
    const runs = [row(), row({ contender: 'another', noise: 50 })];
    expect(compare({ committed: runs, measured: runs }, evercache)[0]!.limit).toBeCloseTo(1.2 * 1.05);
  });
});

test('a figure of ours that is not measured any more is worse; one that is new is not looked at', () => {
  const [judgement, ...others] = compare(
    { committed: [row()], measured: [row({ case: 'hit, another' }), row({ metric: 'another' })] },
    evercache,
  );
  expect(judgement).toMatchObject({ measured: undefined, isWorse: true });
  expect(others).toEqual([]);
});

test('what must be high is worse when it falls, and not when it rises', () => {
  const speed = row({ unit: '/s', ratio: 0.8 });
  expect(isWorse(speed, { ratio: 0.7 })).toEqual([true]);
  expect(isWorse(speed, { ratio: 0.78 })).toEqual([false]);
  expect(isWorse(speed, { ratio: 2 })).toEqual([false]);
});

test('a count without a ratio is compared as it is: where none were committed, one is worse', () => {
  const count = row({ metric: 'statements', unit: 'statements', ratio: null });
  expect(isWorse({ ...count, value: 0 }, { value: 1 })).toEqual([true]);
  expect(isWorse({ ...count, value: 0 }, { value: 0 })).toEqual([false]);
  expect(isWorse({ ...count, value: 100 }, { value: 101 })).toEqual([false]);
});

test('what only one of two runs finds worse is not worse', () => {
  const committed = [row(), row({ case: 'awaited' })];
  const first = compare({ committed, measured: [row({ ratio: 2 }), row({ case: 'awaited', ratio: 2 })] }, evercache);
  const second = compare({ committed, measured: [row({ ratio: 2 }), row({ case: 'awaited' })] }, evercache);
  expect(worseInBoth(first, second).map((judgement) => judgement.row.case)).toEqual(['hit']);
});

test('one line says what, where, how much and how much would be allowed', () => {
  const runs = { committed: [row()], measured: [row({ ratio: 1.5 })] };
  expect(describeWorse('reads', compare(runs, evercache)[0]!)).toBe(
    'reads: hit: evercache: time per read: committed 1.2 x, now 1.5 x, allowed up to 1.26 x',
  );
  const speed = row({ contender: 'log', metric: 'commits', unit: '/s', ratio: 0.84 });
  expect(describeWorse('refresh', compare({ committed: [speed], measured: [] }, refresh.better!)[0]!)).toBe(
    'refresh: hit: log: commits: committed 0.84 x, now missing, allowed down to 0.8 x',
  );
  const calls = row({ metric: 'calls', unit: 'calls', value: 1, ratio: null });
  expect(
    describeWorse('stampede', compare({ committed: [calls], measured: [{ ...calls, value: 2 }] }, evercache)[0]!),
  ).toBe('stampede: hit: evercache: calls: committed 1 calls, now 2 calls, allowed up to 1.05 calls');
});

const saved = Object.entries({ reads, memory, stampede, 'agent-load': agentLoad, refresh, derive, http }).flatMap(
  ([name, bench]) => {
    const result = readResult(name);
    return result === undefined ? [] : [{ name, bench, measurements: result.measurements }];
  },
);

test.each(saved)(
  'the results of $name have figures of ours, and are no worse than themselves',
  ({ bench, measurements }) => {
    const judged = compare({ committed: measurements, measured: measurements }, (bench as Bench).better ?? evercache);
    expect(judged.length).toBeGreaterThan(0);
    expect(judged.filter((judgement) => judgement.isWorse)).toEqual([]);
  },
);

describe('which way a figure gets better', () => {
  const wayOf = (bench: Bench, contender: string, metric: string, unit: string, ratio: number | null) =>
    (bench.better ?? evercache)(row({ contender, metric, unit, ratio }));

  test.each([
    [reads, 'evercache', 'time per read', 'ns', 1.2, 'lower'],
    [reads, 'evercache, one by one', 'time per read', 'ns', 1.2, 'lower'],
    [reads, 'evercache, in an outage', 'time per read', 'ns', 1.2, 'lower'],
    [reads, 'evercache, a second one', 'time per read', 'ns', 1, undefined],
    [reads, 'Map, a second one', 'time per read', 'ns', 1, undefined],
    [reads, 'lru-cache', 'time per read', 'ns', 2, undefined],
    [memory, 'evercache', 'heap per entry', 'bytes', 1, 'lower'],
    [memory, 'lru-cache', 'heap per entry', 'bytes', 2.5, undefined],
    [stampede, 'evercache, one by one', 'calls of the source', 'calls', null, 'lower'],
    [stampede, 'evercache, one by one', 'time beyond one call', 'ms', null, undefined],
    [agentLoad, 'uncached', 'time per load', 'µs', 154, 'higher'],
    [agentLoad, 'uncached', 'statements', 'statements', 1250, 'higher'],
    [agentLoad, 'cached', 'statements', 'statements/min', null, 'lower'],
    [agentLoad, 'cached', 'time per load', 'µs', 1, undefined],
    [agentLoad, 'cached', 'loads', 'loads/s', null, undefined],
    [agentLoad, 'uncached, chat server', 'time per load', 'µs', 466, undefined],
    [refresh, '10 rows changed', 'time', 'ms', 4, 'lower'],
    [refresh, '10 rows changed', 'time, of a whole snapshot', 'share', null, undefined],
    [refresh, '1000 rows changed', 'bytes read', 'bytes', 1.05, 'lower'],
    [refresh, '0 rows changed', 'statements', 'statements', null, 'lower'],
    [refresh, 'named SELECT 1', 'time', 'ms', 1, undefined],
    [refresh, 'mirror', 'heap per row', 'bytes', 1.07, 'lower'],
    [refresh, 'mirror', 'agents that do not see it', 'agents', null, 'lower'],
    [refresh, 'plain Map', 'heap per row', 'bytes', 1, undefined],
    [refresh, 'idle', 'longest block (wall)', 'ms', null, undefined],
    [refresh, 'log + leader', 'commits', '/s', 0.8, 'higher'],
    [refresh, 'no trigger', 'commits', '/s', 1, undefined],
    [derive, 'loaded each time', 'time per answer', 'µs', 1.2, 'lower'],
    [derive, 'built once', 'time per answer', 'µs', 1, undefined],
    [http, 'caches on', 'requests per second of processor time', '1/s', 5, 'higher'],
    [http, 'caches on', 'processor time per request', 'µs', null, undefined],
    [http, 'caches off', 'requests per second of processor time', '1/s', 1, undefined],
  ] as const)('%o: %s, %s', (bench, contender, metric, unit, ratio, way) => {
    expect(wayOf(bench, contender, metric, unit, ratio)).toBe(way);
  });
});
