/** The few figures of statistics that benches need. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Half of the values lie this far apart, in percent of the median: how much the machine disturbed the measurement. */
export function noise(values: readonly number[]): number {
  return ((quantile(values, 0.75) - quantile(values, 0.25)) / median(values)) * 100;
}

/** The value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new TypeError('quantile: expected at least one value, got none');
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)]!;
  return below + (sorted[Math.ceil(position)]! - below) * (position % 1);
}
