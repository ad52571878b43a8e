/** What a run tells: a line now and then, and the verdict. */
import { type GaugeName, LIMITS } from './gauges.ts';
import type { Soak } from './soak.ts';
import { STANDARD_ERRORS } from './trend.ts';

const MB = 1_048_576;
/** A run in which one of these never happened has shown nothing about it. */
const EXPECTED = ['fail', 'refuse', 'hang', 'stubborn', 'half', 'twice', 'empty', 'resync', 'lost'] as const;

export function summary({ caches, readers, shortLives, gauges, faults }: Soak): string {
  const stats = caches.map(({ cache }) => cache.stats());
  const total = (name: 'sourceCalls' | 'sourceFailures' | 'refreshes' | 'invalidations'): string =>
    stats.reduce((sum, counters) => sum + counters[name], 0).toLocaleString('en');
  const done = readers.reduce((sum, reader) => sum + reader.done, 0).toLocaleString('en');
  return [
    `${done} operations`,
    `${total('sourceCalls')} source calls (${total('sourceFailures')} failed)`,
    `${total('refreshes')} refreshes`,
    `${total('invalidations')} invalidations`,
    `${shortLives.reduce((sum, { count }) => sum + count, 0).toLocaleString('en')} caches started and stopped`,
    `heap ${(gauges.last('heap') / MB).toFixed(2)} MB`,
    `${gauges.last('timers')} timers`,
    `${gauges.last('listeners')} listeners on a signal at most`,
    `${faults.count} faults`,
  ].join(', ');
}

/** Notes what the gauges and the whole of the run have to say as faults, and tells all of it. */
export function verdict(soak: Soak): string[] {
  const { faults } = soak;
  const trends = [
    trendLine(soak, 'heap', (bytes) => `${(bytes / MB).toFixed(2)} MB`),
    trendLine(soak, 'timers', (count) => count.toFixed(1)),
    trendLine(soak, 'resources', (count) => count.toFixed(1)),
    trendLine(soak, 'listeners', (count) => count.toFixed(1)),
  ];
  const happened = new Map<string, number>();
  for (const { source } of soak.caches) {
    for (const [fate, count] of source.fates) happened.set(fate, (happened.get(fate) ?? 0) + count);
  }
  for (const fate of EXPECTED) {
    if (!happened.has(fate)) faults.note('something that was to happen never did', fate);
  }
  const refusals = new Map<string, number>();
  for (const { failures } of soak.readers) {
    for (const [code, count] of failures) refusals.set(code, (refusals.get(code) ?? 0) + count);
  }
  return [
    `calls of the source: ${listed(happened)}`,
    `failures that callers saw: ${listed(refusals)}`,
    `reads behind an earlier one while removals were held: ${soak.caches.reduce((sum, { behindWhileHeld }) => sum + behindWhileHeld, 0)}`,
    ...trends,
    ...faults.lines().map((line) => `FAULT: ${line}`),
    faults.count === 0 ? 'verdict: passed' : `verdict: FAILED, ${faults.count} faults`,
  ];
}

function trendLine({ gauges, faults }: Soak, name: GaugeName, format: (value: number) => string): string {
  const { mean, growth, least, most, seconds, samples } = gauges.trend(name);
  const limit = LIMITS[name];
  if (least > limit) faults.note(`${name} grow`, `${format(least)} at least in ${Math.round(seconds)} seconds`);
  return (
    `${name}: ${format(mean)} on average, grew by ${format(growth)} in ${Math.round(seconds)} seconds, between ` +
    `${format(least)} and ${format(most)} at ${STANDARD_ERRORS} standard errors of ${samples} samples ` +
    `(at most ${format(limit)} are allowed)`
  );
}

function listed(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${name} ${count.toLocaleString('en')}`).join(', ');
}
