/**
 * The tables of docs/performance.md that `npm run bench:docs` writes. A new one needs an entry here, and its two marks
 * in the page.
 */
import type { Measurement } from '../bench.ts';
import type { Result } from '../results.ts';
import { statements, timePerLoad } from './agent-load.ts';
import { contendersByCase, everyFigure, figure, type Rows, times } from './cells.ts';

export interface Table {
  /** Whose results. */
  readonly bench: string;
  readonly caption: string;
  readonly rows: (result: Result) => Rows;
}

/** Cases of reads in which it is. */
const STALE = /outage|wrong/;

/** By the name in the mark. */
export const tables: Readonly<Record<string, Table>> = {
  'agent-load: time': { bench: 'agent-load', caption: 'Time per load, median of the rounds', rows: timePerLoad },
  'agent-load: statements': { bench: 'agent-load', caption: 'Statements', rows: statements },
  reads: {
    bench: 'reads',
    caption: 'Times the look-up in a `Map`',
    rows: (result) => contendersByCase(only(result, (name) => !STALE.test(name))),
  },
  'reads: something is stale': {
    bench: 'reads',
    caption: 'Hits while something is stale',
    rows: (result) => everyFigure(only(result, (name) => STALE.test(name))),
  },
  memory: { bench: 'memory', caption: 'A million entries', rows: bytesPerEntry },
  stampede: { bench: 'stampede', caption: 'Calls of the source, and time beyond one', rows: crowds },
  derive: { bench: 'derive', caption: 'An answer of an agent with 50 tools', rows: everyFigure },
  http: { bench: 'http', caption: 'Requests per second of processor time', rows: everyFigure },
  refresh: { bench: 'refresh', caption: 'All figures', rows: everyFigure },
  'refresh: a million rows': {
    bench: 'refresh-large',
    caption: 'A million rows',
    rows: (result) => everyFigure(only(result, (name) => name.includes('1000000'))),
  },
};

function only(result: Result, wanted: (name: string) => boolean): Result {
  return { ...result, measurements: result.measurements.filter((row) => wanted(row.case)) };
}

function bytesPerEntry({ measurements }: Result): Rows {
  return [
    ['', 'bytes an entry', 'times `Map`'],
    ...measurements.map((row) => [row.contender, row.value.toFixed(0), times(row)]),
  ];
}

function crowds({ measurements }: Result): Rows {
  const cases = [...new Set(measurements.map((row) => row.case))];
  const cell = (rows: readonly Measurement[], name: string): string => {
    const [calls, beyond] = rows.filter((row) => row.case === name);
    return `${figure(calls!.value)} ${calls!.value === 1 ? 'call' : 'calls'}, + ${beyond!.value.toFixed(1)} ms`;
  };
  return [
    ['', ...cases],
    ...[...Map.groupBy(measurements, ({ contender }) => contender)].map(([contender, rows]) => [
      contender,
      ...cases.map((name) => cell(rows, name)),
    ]),
  ];
}
