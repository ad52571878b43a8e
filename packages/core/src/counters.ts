import type { RefreshReport } from './status.ts';

/** Plain counters, written by whoever sees the event. */
export class Counters {
  /** Answered from memory or not: hits and misses. */
  reads = 0;
  misses = 0;
  staleHits = 0;
  absentHits = 0;
  sourceCalls = 0;
  sourceFailures = 0;
  coalesced = 0;
  refreshes = 0;
  refreshFailures = 0;
  rateLimited = 0;
  invalidations = 0;
  evictions = 0;

  miss(): void {
    this.reads += 1;
    this.misses += 1;
  }

  countRound(outcome: RefreshReport['outcome']): void {
    if (outcome === 'failed') this.refreshFailures += 1;
    else if (outcome !== 'stopped') this.refreshes += 1;
  }
}
