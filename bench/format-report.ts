/** A report as a table for people. */
import type { BenchReport, Measurement } from './bench.ts';

export function formatReport(name: string, { measurements, targets }: BenchReport, quick: boolean): string {
  const lines = [quick ? `\n${name}, a smoke run: its figures mean nothing` : `\n${name}`];
  for (const [title, rows] of Map.groupBy(measurements, (row) => row.case)) {
    lines.push('', `  ${title}`, ...formatRows(rows));
  }
  lines.push(
    '',
    '  targets',
    ...targets.map(({ target, measured, met }) => `    ${met ? 'met   ' : 'MISSED'} ${target}: ${measured}`),
  );
  return lines.join('\n');
}

function formatRows(rows: readonly Measurement[]): string[] {
  const cells = rows.map(({ contender, metric, value, unit, ratio, noise }) => [
    contender,
    metric,
    formatNumber(value),
    unit,
    ratio === null ? '' : `× ${formatNumber(ratio)}`,
    noise ? `± ${noise.toFixed(1)} %` : '',
  ]);
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  const rightAligned = new Set([2, 4, 5]);
  return cells.map((row) => {
    const padded = row.map((cell, column) => {
      return rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
    });
    return `    ${padded.join('  ')}`.trimEnd();
  });
}

/** Three digits that count, and all digits before the point. */
function formatNumber(value: number): string {
  return value.toLocaleString('en-US', {
    maximumSignificantDigits: Math.max(3, Math.trunc(Math.abs(value)).toString().length),
  });
}
