/** The outcome of an exploration, for a person. */
import type { Outcome } from './explore.ts';
import { PROMISE_NUMBERS, PROMISES } from './promises.ts';

function toTable({ counts }: Outcome): string {
  return PROMISE_NUMBERS.map((number) => {
    const name = `${String(number).padStart(3)} ${PROMISES[number]}`;
    return `${name.padEnd(40)} ${counts[number].toLocaleString('en').padStart(12)}`;
  }).join('\n');
}

export function toReport(outcome: Outcome, tookMs: number): string {
  const { histories, schedules, operations, failure } = outcome;
  const perSecond = Math.round((operations * 1_000) / tookMs);
  return [
    `${histories.toLocaleString('en')} histories, ${schedules.size.toLocaleString('en')} distinct schedules`,
    `${operations.toLocaleString('en')} operations, ${perSecond.toLocaleString('en')} a second`,
    'how often each promise was put to the test:',
    toTable(outcome),
    failure === undefined ? 'no promise was broken' : failure,
  ].join('\n');
}
