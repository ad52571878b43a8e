/** Plain counters, written by whoever sees the event. */
export class Counters {
  hits = 0;
  misses = 0;
  staleHits = 0;
  absentHits = 0;
  sourceCalls = 0;
  sourceFailures = 0;
  coalesced = 0;
  refreshes = 0;
  refreshFailures = 0;
  invalidations = 0;
  evictions = 0;
}
