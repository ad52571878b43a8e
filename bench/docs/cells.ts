/** Figures as the cells of a table of docs/performance.md, and tables that any bench may have. */
import type { Measurement } from '../bench.ts';
import type { Result } from '../results.ts';

/** The first row is the head. */
export type Rows = readonly (readonly string[])[];

/** How many times the baseline: no more than two digits after the point. */
export function times({ ratio }: Measurement): string {
  if (ratio === null) return '';
  return ratio < 10 ? ratio.toFixed(2) : figure(ratio);
}

/** Three digits that count, and all digits before the point. */
export function figure(value: number): string {
  const digits = Math.max(3, Math.trunc(Math.abs(value)).toString().length);
  return value.toLocaleString('en-US', { maximumSignificantDigits: digits });
}

/** A line for each contender, a column for each case; each cell is its ratio. */
export function contendersByCase({ measurements }: Result): Rows {
  const cases = [...new Set(measurements.map((row) => row.case))];
  const cell = (row: Measurement | undefined): string => (row === undefined ? '' : times(row));
  return [
    ['', ...cases],
    ...[...Map.groupBy(measurements, ({ contender }) => contender)].map(([contender, rows]) => [
      contender,
      ...cases.map((name) => cell(rows.find((row) => row.case === name))),
    ]),
  ];
}

/** A line for each figure. */
export function everyFigure({ measurements }: Result): Rows {
  return [
    ['', 'who', 'what', 'figure', 'times the baseline'],
    ...measurements.map((row, index) => [
      row.case === measurements[index - 1]?.case ? '' : row.case,
      row.contender,
      row.metric,
      `${figure(row.value)} ${row.unit}`,
      times(row),
    ]),
  ];
}
