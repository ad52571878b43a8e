/** The few figures of statistics that benches need. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * How far the median may be off by chance, in percent of it: how far apart the middle half of the values lies, through
 * the root of their number.
 */
export function noiseOfMedian(values: readonly number[]): number {
  const spread = quantile(values, 0.75) - quantile(values, 0.25);
  return (spread / median(values) / Math.sqrt(values.length)) * 100;
}

/** The value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new TypeError('quantile: expected at least one value, got none');
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)]!;
  return below + (sorted[Math.ceil(position)]! - below) * (position % 1);
}
