/** Does a measured number grow? A line through the samples, and how sure its slope is. */

export interface Sample {
  readonly seconds: number;
  readonly value: number;
}

export interface Trend {
  readonly mean: number;
  /** What the line of least squares rises by, from the first sample to the last. */
  readonly growth: number;
  /** The growth lies between these: `STANDARD_ERRORS` to either side. */
  readonly least: number;
  readonly most: number;
  readonly seconds: number;
  readonly samples: number;
}

/** 99.7 % of what is normally distributed lies within. */
export const STANDARD_ERRORS = 3;

/**
 * A sample resembles the one before it, so they say less than as many independent ones: their number is reduced by the
 * correlation of neighbouring residuals.
 */
export function trendOf(samples: readonly Sample[]): Trend {
  const count = samples.length;
  if (count < 4) throw new RangeError(`a trend needs 4 samples, got ${count}`);
  const meanOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / count;
  const middle = meanOf(samples.map(({ seconds }) => seconds));
  const mean = meanOf(samples.map(({ value }) => value));
  const spread = sum(samples, ({ seconds }) => (seconds - middle) ** 2);
  const slope = sum(samples, ({ seconds, value }) => (seconds - middle) * (value - mean)) / spread;
  const residuals = samples.map(({ seconds, value }) => value - mean - slope * (seconds - middle));
  const squares = sum(residuals, (residual) => residual ** 2);
  const neighbours = sum(residuals.slice(1), (residual, index) => residual * residuals[index]!);
  const correlation = squares === 0 ? 0 : Math.min(0.99, Math.max(0, neighbours / squares));
  const independent = Math.max(3, (count * (1 - correlation)) / (1 + correlation));
  const margin = STANDARD_ERRORS * Math.sqrt(squares / spread / (independent - 2));
  const seconds = samples.at(-1)!.seconds - samples[0]!.seconds;
  const [growth, least, most] = [slope, slope - margin, slope + margin].map((each) => each * seconds);
  return { mean, growth: growth!, least: least!, most: most!, seconds, samples: count };
}

function sum<I>(items: readonly I[], of: (item: I, index: number) => number): number {
  return items.reduce((total, item, index) => total + of(item, index), 0);
}
