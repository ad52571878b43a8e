/** Many ask at once for what nobody has: how many calls the source gets, and what the crowd costs beside the call. */
import type { Bench, BenchOptions, BenchReport, Measurement, Target } from './bench.ts';
import { type ContenderName, contenderOf, namesWith, packages } from './contenders.ts';
import { inTurns } from './in-turns.ts';
import { median } from './statistics.ts';
import { versionsOf } from './versions.ts';

export const stampede: Bench = {
  title: 'many fetches of a cold key at once: calls of the source, and time beyond the one call',
  run,
};

const OURS: ContenderName = 'evercache, one by one';
/** How long the source takes. */
const CALL_MS = 50;

interface Crowd {
  readonly keys: number;
  readonly fetches: number;
}

async function run({ quick, progress }: BenchOptions): Promise<BenchReport> {
  const rounds = quick ? 2 : 10;
  const crowds: Crowd[] = [
    { keys: 1, fetches: 10_000 },
    { keys: 100, fetches: 10_000 },
  ];
  const names = quick ? [OURS] : namesWith('openLoading');
  const measurements: Measurement[] = [];
  for (const crowd of crowds) {
    const name = `${crowd.fetches} fetches of ${crowd.keys} cold ${crowd.keys === 1 ? 'key' : 'keys'}`;
    progress(`${name}: ${names.length} contenders`);
    const times = new Map<ContenderName, number[]>(names.map((contender) => [contender, []]));
    const alone: number[] = [];
    const calls = new Map<ContenderName, number>();
    for (let round = 0; round < rounds; round += 1) {
      alone.push(await timeAlone());
      for (const contender of inTurns(names, round)) {
        const result = await storm(contender, crowd);
        times.get(contender)!.push(result.ms);
        calls.set(contender, Math.max(calls.get(contender) ?? 0, result.calls));
      }
    }
    for (const contender of names) {
      const of = { case: name, contender };
      const beyond = median(times.get(contender)!) - median(alone);
      measurements.push(
        { ...of, metric: 'calls of the source', value: calls.get(contender)!, unit: 'calls', ratio: null },
        { ...of, metric: 'time beyond one call', value: Math.max(0, beyond), unit: 'ms', ratio: null },
      );
    }
  }
  return {
    settings: { rounds, callMs: CALL_MS, crowds },
    versions: versionsOf(packages()),
    measurements,
    targets: targetsOf(measurements),
  };
}

/** The timer of the source alone: it is never exact. */
async function timeAlone(): Promise<number> {
  const startedAt = performance.now();
  await answer();
  return performance.now() - startedAt;
}

function answer(): Promise<object> {
  return new Promise((resolve) => setTimeout(() => resolve({ id: 1 }), CALL_MS));
}

async function storm(name: ContenderName, { keys, fetches }: Crowd): Promise<{ ms: number; calls: number }> {
  let calls = 0;
  const load = (): Promise<object> => {
    calls += 1;
    return answer();
  };
  const read = contenderOf(name).openLoading!(load, keys + 1);
  const names = Array.from({ length: keys }, (_, index) => `item:${index}`);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: fetches }, (_, index) => read(names[index % keys]!)));
  return { ms: performance.now() - startedAt, calls };
}

function targetsOf(measurements: readonly Measurement[]): Target[] {
  const ours = measurements.filter(({ contender }) => contender === OURS);
  const [one, beyond, many] = ours;
  return [
    { target: `${one!.case}: 1 call`, measured: `${one!.value} calls`, met: one!.value === 1 },
    { target: `${one!.case}: <= 2 ms more`, measured: `${beyond!.value.toFixed(1)} ms`, met: beyond!.value <= 2 },
    { target: `${many!.case}: exactly 100 calls`, measured: `${many!.value} calls`, met: many!.value === 100 },
  ];
}
