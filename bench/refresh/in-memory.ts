/** A refresh beside the plain thing, without a database: what core and the source of PostgreSQL add by themselves. */
import type { BenchOptions, Measurement, Target } from '../bench.ts';
import { runProcess } from '../run-process.ts';
import { median, noiseOfMedian } from '../statistics.ts';

export interface InMemoryPlan {
  readonly name: 'all new' | 'all changed' | '1 % changed';
  readonly keys: number;
  readonly rounds: number;
}

export interface InMemoryResult {
  /** Milliseconds of each round. */
  readonly plain: readonly number[];
  readonly ours: readonly number[];
}

const PROGRAM = new URL('./in-memory-process.ts', import.meta.url);

interface Part {
  readonly measurements: Measurement[];
  readonly targets: Target[];
}

/**
 * Several processes, since the state that garbage collection gets into differs from one to the other; and by that the
 * rounds differ the most where all rows have changed.
 */
export const IN_MEMORY = {
  processes: { 'all new': 2, 'all changed': 3, '1 % changed': 2 },
  rounds: { 'all new': 5, 'all changed': 5, '1 % changed': 3 },
};

export async function measureInMemory({ quick, progress }: Pick<BenchOptions, 'quick' | 'progress'>): Promise<Part> {
  const keys = quick ? 1000 : 100_000;
  const measurements: Measurement[] = [];
  const ratios: number[] = [];
  for (const name of ['all new', 'all changed', '1 % changed'] as const) {
    progress(`${keys} rows in memory, ${name}`);
    const plan: InMemoryPlan = { name, keys, rounds: quick ? 2 : IN_MEMORY.rounds[name] };
    const results: InMemoryResult[] = [];
    const processes = quick ? 1 : IN_MEMORY.processes[name];
    while (results.length < processes) results.push(await runProcess<InMemoryResult>(PROGRAM, [JSON.stringify(plan)]));
    const plain = results.flatMap((result) => result.plain);
    const ours = results.flatMap((result) => result.ours);
    const ratiosOfRounds = ours.map((ms, round) => ms / plain[round]!);
    const ratio = median(ratiosOfRounds);
    ratios.push(ratio);
    const rows = name === '1 % changed' ? `${keys} keys of 3 rows in memory` : `${keys} rows in memory`;
    const where = { case: `${rows}, ${name}`, metric: 'time', unit: 'ms' };
    const way = name === '1 % changed' ? 'parse all, isDeepStrictEqual' : 'parse, freeze, Map.set';
    measurements.push(
      { ...where, contender: way, value: median(plain), ratio: 1 },
      { ...where, contender: 'evercache', value: median(ours), ratio, noise: noiseOfMedian(ratiosOfRounds) },
    );
  }
  const [allNew, allChanged, few] = ratios as [number, number, number];
  const atMost = (what: string, ratio: number): Target => ({
    target: `${keys} rows in memory, ${what}: <= 1.3 times parse, freeze and Map.set`,
    measured: `${ratio.toFixed(2)} times`,
    met: ratio <= 1.3,
  });
  return {
    measurements,
    targets: [
      atMost('all new', allNew),
      atMost('all changed', allChanged),
      {
        target: `${keys} keys of 3 rows, 1 % changed: >= 5 times faster than to parse all and compare`,
        measured: `${(1 / few).toFixed(1)} times`,
        met: few <= 1 / 5,
      },
    ],
  };
}
