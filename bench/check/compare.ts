/** Two runs of a bench, compared: what has become worse than their noise explains. */
import type { Better, Measurement } from '../bench.ts';
import { median } from '../statistics.ts';

export interface Runs {
  readonly committed: readonly Measurement[];
  readonly measured: readonly Measurement[];
}

export interface Judgement {
  /** The row as it was committed. */
  readonly row: Measurement;
  readonly committed: number;
  /** `undefined`: the new run has no such figure. */
  readonly measured: number | undefined;
  /** The worst figure that is allowed. */
  readonly limit: number;
  readonly isWorse: boolean;
}

/** Less than this is noise even where none was seen, in percent. */
const LEAST_PERCENT = 5;
/** So many times the noise of both runs. */
const TIMES_NOISE = 3;

/** One judgement for each committed figure that is judged. */
export function compare({ committed, measured }: Runs, better: Better): Judgement[] {
  const found = new Map(measured.map((row) => [nameOf(row), row]));
  const [before, after] = [noiseIn(committed), noiseIn(measured)];
  return committed.flatMap((row) => {
    const direction = better(row);
    if (direction === undefined) return [];
    const other = found.get(nameOf(row));
    const percent = Math.max(LEAST_PERCENT, TIMES_NOISE * (before(row) + (other === undefined ? 0 : after(other))));
    const slack = 1 + percent / 100;
    const figure = row.ratio ?? row.value;
    const limit = direction === 'lower' ? figure * slack : figure / slack;
    const now = row.ratio === null ? other?.value : (other?.ratio ?? undefined);
    // What is not even a number is not good enough either.
    const isGood = now !== undefined && (direction === 'lower' ? now <= limit : now >= limit);
    return [{ row, committed: figure, measured: now, limit, isWorse: !isGood }];
  });
}

/** What both runs find worse: the second one was made to see whether the first was bad luck. */
export function worseInBoth(first: readonly Judgement[], second: readonly Judgement[]): Judgement[] {
  const again = new Set(second.filter(({ isWorse }) => isWorse).map(({ row }) => nameOf(row)));
  return first.filter(({ row, isWorse }) => isWorse && again.has(nameOf(row)));
}

/** One line for people. */
export function describeWorse(bench: string, { row, committed, measured, limit }: Judgement): string {
  const times = row.ratio === null ? ` ${row.unit}` : ' x';
  const text = (figure: number): string => `${Number(figure.toPrecision(4))}${times}`;
  const allowed = `allowed ${limit < committed ? 'down' : 'up'} to ${text(limit)}`;
  const now = measured === undefined ? 'now missing' : `now ${text(measured)}`;
  return `${bench}: ${row.case}: ${row.contender}: ${row.metric}: committed ${text(committed)}, ${now}, ${allowed}`;
}

/**
 * The noise of a row of that run, in percent. Few repetitions say little of their own noise and may agree by chance, so
 * it is at least what is usual in that run. Counts and baselines have none.
 */
function noiseIn(rows: readonly Measurement[]): (row: Measurement) => number {
  const all = rows.flatMap(({ noise }) => noise || []);
  const usual = all.length === 0 ? 0 : median(all);
  return ({ noise }) => (noise ? Math.max(noise, usual) : 0);
}

function nameOf({ case: name, contender, metric }: Measurement): string {
  return JSON.stringify([name, contender, metric]);
}
