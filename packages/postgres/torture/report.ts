/** The outcome of a run, for a person. */
import type { Torture } from './torture.ts';

export function toReport({ tally, history, mirrors }: Torture): string {
  const counts = [...tally.counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${count.toLocaleString('en').padStart(10)}  ${what}`);
  const generations = mirrors.map(
    ({ name, generations: count }) => `${String(count).padStart(10)}  generations: ${name}`,
  );
  return [
    `${history.transactions.toLocaleString('en')} transactions of the writers`,
    ...generations,
    ...counts,
    ...tally.faults.map((line) => `FAULT: ${line}`),
    tally.faults.length === 0 ? 'verdict: passed' : 'verdict: FAILED',
  ].join('\n');
}
