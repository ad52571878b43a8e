/** What a read from memory costs beside the look-up in a bare Map. */
import type { Bench, BenchOptions, BenchReport, Measurement, Target } from './bench.ts';
import { type ContenderName, namesWith, packages } from './contenders.ts';
import { type Loop, measurePair } from './reads/pair.ts';
import { median, noiseOfMedian } from './statistics.ts';
import { versionsOf } from './versions.ts';

export const reads: Bench = {
  title: 'a hit beside the look-up in a bare Map: ours and all others, each in processes of its own',
  run,
};

interface Case {
  readonly name: string;
  readonly loop: Loop;
  readonly keys: number;
  readonly baseline: ContenderName;
  readonly contenders: readonly ContenderName[];
  /** @default that of the loop */
  readonly processes?: number;
}

const ONE_BY_ONE = 'evercache, one by one';
const IN_OUTAGE = 'evercache, in an outage';
/** Where one key has an age of its own. */
const ROW_WRONG = 'evercache, one row wrong';
const ROW_FETCHED = [
  'evercache, one row fetched before the outage',
  'evercache, one row fetched in the outage',
] as const;

/**
 * Two processes differ by more than their rounds do: those of `getMany` the most, and awaiting hides it. Even numbers: in
 * half of them, the baseline is filled first.
 */
const PROCESSES: Readonly<Record<Loop, number>> = { hit: 4, 'made anew': 4, awaited: 2, many: 8 };
/** A stale hit counts one thing more than a fresh one; by how much that is dearer is less than processes differ by. */
const OUTAGE_PROCESSES = 12;

function cases(quick: boolean): Case[] {
  const sizes = quick ? [1000] : [10_000, 100_000];
  const special = new Set<ContenderName>(['Map', IN_OUTAGE, ROW_WRONG, ...ROW_FETCHED]);
  const others = namesWith('read').filter((name) => !special.has(name));
  const synchronous: ContenderName[] = ['Map', ...others];
  const few: ContenderName[] = ['Map', 'evercache', ONE_BY_ONE, 'lru-cache'];
  const asynchronous = namesWith('readAsync').filter((name) => name !== 'Map');
  const [small = 1000] = sizes;
  return [
    ...sizes.map((keys) => ({
      name: `hit, ${keys} keys`,
      loop: 'hit' as const,
      keys,
      baseline: 'Map' as const,
      contenders: quick ? few : synchronous,
    })),
    { name: 'hit, key made anew', loop: 'made anew', keys: small, baseline: 'Map', contenders: few },
    {
      name: 'hit in an outage',
      loop: 'hit',
      keys: small,
      baseline: 'evercache',
      contenders: ['evercache', IN_OUTAGE],
      processes: OUTAGE_PROCESSES,
    },
    {
      name: 'hit in an outage, one row fetched singly',
      loop: 'hit',
      keys: small,
      baseline: 'Map',
      contenders: ['Map', ...ROW_FETCHED],
    },
    { name: 'hit while one row is wrong', loop: 'hit', keys: small, baseline: 'Map', contenders: ['Map', ROW_WRONG] },
    {
      name: 'awaited hit',
      loop: 'awaited',
      keys: small,
      baseline: 'Map',
      contenders: ['Map', ...(quick ? (['evercache'] as const) : asynchronous)],
    },
    { name: 'getMany of 100 keys', loop: 'many', keys: small, baseline: 'Map', contenders: ['Map', 'evercache'] },
  ];
}

async function run({ quick, progress }: BenchOptions): Promise<BenchReport> {
  const settings = { processes: PROCESSES, processesOfOutage: OUTAGE_PROCESSES, rounds: quick ? 5 : 17 };
  const measurements: Measurement[] = [];
  for (const { name, contenders, processes: chosen, ...pair } of cases(quick)) {
    progress(`${name}: ${contenders.length} contenders`);
    const processes = quick ? 1 : (chosen ?? PROCESSES[pair.loop]);
    for (const contender of contenders) {
      const results = [];
      for (let order = 0; order < processes; order += 1) {
        results.push(await measurePair({ ...pair, contender, rounds: settings.rounds, order }));
      }
      const ratios = results.map(({ ratio }) => ratio);
      measurements.push({
        case: name,
        // The baseline against itself: what two of the same differ by.
        contender: contender === pair.baseline ? `${contender}, a second one` : contender,
        metric: 'time per read',
        value: median(results.map(({ ns }) => ns)),
        unit: 'ns',
        ratio: median(ratios),
        noise: noiseOfMedian(ratios),
      });
    }
  }
  return { settings, versions: versionsOf(packages()), measurements, targets: targetsOf(measurements) };
}

function targetsOf(measurements: readonly Measurement[]): Target[] {
  const ratioOf = (name: string, contender: string): number =>
    measurements.find((row) => row.case === name && row.contender === contender)!.ratio!;
  const atMost = (target: string, ratio: number, limit: number): Target => ({
    target: `${target} <= ${limit} x`,
    measured: `${ratio.toFixed(2)} x`,
    met: ratio <= limit,
  });
  const hits = [...new Set(measurements.map((row) => row.case))].filter((name) => /^hit, \d/.test(name));
  const anew = 'hit, key made anew';
  return [
    ...hits.flatMap((name) => {
      const own = ratioOf(name, ONE_BY_ONE);
      const peers = measurements.filter((row) => row.case === name && !/^(Map|evercache)/.test(row.contender));
      const best = peers.toSorted((a, b) => a.ratio! - b.ratio!)[0]!;
      const ours = ratioOf(name, 'evercache');
      return [
        atMost(`${name}, loaded by fetchAll: Map.get`, ours, 1.15),
        {
          target: `${name}, loaded by fetchAll: ahead of every peer`,
          measured: `${ours.toFixed(2)} x, the best peer (${best.contender}) ${best.ratio!.toFixed(2)} x`,
          met: ours <= best.ratio!,
        },
        atMost(`${name}, fetched one by one: Map.get`, own, 1.3),
        atMost(`${name}, fetched one by one: lru-cache with ttl`, own / ratioOf(name, 'lru-cache'), 0.6),
      ];
    }),
    atMost(`${anew}, loaded by fetchAll: Map.get`, ratioOf(anew, 'evercache'), 1.1),
    atMost(`${anew}, fetched one by one: Map.get`, ratioOf(anew, ONE_BY_ONE), 1.25),
    atMost('hit in an outage: the fresh hit', ratioOf('hit in an outage', IN_OUTAGE), 1.1),
    atMost('await fetch(key) on a hit: the await of a plain value', ratioOf('awaited hit', 'evercache'), 1.3),
    atMost('getMany of 100 keys: 100 Map.get', ratioOf('getMany of 100 keys', 'evercache'), 1.2),
  ];
}
