/** What has to have happened: a run that never took one of these ways has shown nothing about it. */
import type { Fault } from './faults/fault.ts';
import type { Extent } from './settings.ts';

/** In any run. */
const ALWAYS = [
  'writers: a few statements',
  'writers: rolled back',
  'writers: connection lost',
  'refreshes: delta published',
  'refreshes: snapshot published',
  'refreshes: failed',
  'entries of the log that were pruned',
  'connections that were killed',
  'rows that the log was not told of',
  'resyncs: another database, or another history of it, answers',
];

/** In a run that has the time for all of it. */
const IN_TIME = [
  'writers: a long transaction',
  'writers: more than 64 sub-transactions',
  'writers: a bulk statement of 2,500 rows',
  'writers: a bulk statement of 5,001 rows',
  'writers: TRUNCATE',
  'writers: past the triggers',
  'writers: deadlock',
  'commits that were lost',
  'paths: large delta',
  'paths: keys compared by a scan',
  'paths: told by a bell',
  'paths: read as a whole while triggers were off',
  'paths: went back with the history that was lost',
  'paths: a new history that had overtaken the old one',
  'resyncs: the change log was pruned past the position',
  'resyncs: a table was truncated, or changed by a large statement',
  'resyncs: columns, tables, triggers or options have changed',
];

export function expectedOf(faults: readonly Fault[], extent: Extent): string[] {
  return [...new Set(faults.map(({ name }) => `faults: ${name}`)), ...ALWAYS, ...(extent === 'long' ? IN_TIME : [])];
}

/** Each mirror has to have been worth its name. */
export const MIN_GENERATIONS = 2;
