/** How a table or a view of a mirror was asked, and what came of it. */

export class ReadCounts {
  hits = 0;
  misses = 0;
  staleHits = 0;
  absentHits = 0;
  invalidations = 0;

  /** A read of what is in memory: `undefined` if it is not. */
  count(value: unknown, isStale: boolean): void {
    if (value === undefined) {
      this.misses += 1;
      return;
    }
    this.hits += 1;
    if (isStale) this.staleHits += 1;
  }
}
