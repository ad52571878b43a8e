/** What an entry takes in memory beyond its key and its value. */
import type { Bench, BenchOptions, BenchReport, Measurement } from './bench.ts';
import { type ContenderName, packages } from './contenders.ts';
import { runProcess } from './run-process.ts';
import { versionsOf } from './versions.ts';

export const memory: Bench = {
  title: 'heap of a million entries beyond their keys and values, each contender in a process of its own',
  run,
};

const PROCESSES_AT_ONCE = 2;
const MEASURE = new URL('memory/memory-process.ts', import.meta.url);

const CONTENDERS: readonly ContenderName[] = [
  'Map',
  'evercache',
  'evercache, one by one',
  'lru-cache',
  '@isaacs/ttlcache',
  'lru.min',
  'toad-cache',
  'tiny-lru',
  'quick-lru',
  'mnemonist',
];
const FEW: readonly ContenderName[] = ['Map', 'evercache', 'evercache, one by one', 'lru-cache'];

async function run({ quick, progress }: BenchOptions): Promise<BenchReport> {
  const entries = quick ? 10_000 : 1_000_000;
  const names = quick ? FEW : CONTENDERS;
  const bytes = new Map<ContenderName, number>(names.map((name) => [name, 0]));
  const queue = names.values();
  const lane = async (): Promise<void> => {
    for (const name of queue) {
      progress(`${name}: ${entries} entries`);
      const result = await runProcess<{ bytes: number }>(MEASURE, [name, String(entries)]);
      bytes.set(name, result.bytes / entries);
    }
  };
  // Heap is the same on a busy machine.
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, lane));
  const map = bytes.get('Map')!;
  const measurements = [...bytes].map(
    ([contender, value]): Measurement => ({
      case: `${entries} entries`,
      contender,
      metric: 'heap per entry',
      value,
      unit: 'bytes',
      ratio: value / map,
    }),
  );
  const [whole, own, lru] = [bytes.get('evercache')!, bytes.get('evercache, one by one')!, bytes.get('lru-cache')!];
  return {
    settings: { entries },
    versions: versionsOf(packages()),
    measurements,
    targets: [
      {
        target: 'loaded by fetchAll: heap per entry <= 1.15 x Map',
        measured: `${(whole / map).toFixed(2)} x`,
        met: whole <= 1.15 * map,
      },
      {
        target: 'fetched one by one: heap per entry <= lru-cache with ttl',
        measured: `${own.toFixed(0)} bytes, lru-cache ${lru.toFixed(0)}`,
        met: own <= lru,
      },
    ],
  };
}
