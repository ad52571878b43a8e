/** What a cache says about itself: for operators. It names keys, and repeats what source and schema said. */
import type { BreakerState } from './breaker.ts';
import type { CacheError } from './errors.ts';

/**
 * - `idle`: never started; `starting`: the first load is under way
 * - `live`: everything is as it should be
 * - `degraded`: the source fails or what is held is older than its ttl; stale values are served
 * - `held`: removals that look like a catastrophe wait for confirmation; their rows are served as they were
 * - `stopped`: nothing is served
 */
export type CacheState = 'idle' | 'starting' | 'live' | 'degraded' | 'held' | 'stopped';

/** How a refresh ended. */
export interface RefreshReport {
  /**
   * `unchanged`: confirmed, and nothing differs. `held`: removals wait for confirmation, everything else is published.
   * `failed` and `stopped` changed nothing that readers see. Of a dry run: what it would have been.
   */
  readonly outcome: 'published' | 'unchanged' | 'held' | 'failed' | 'stopped';
  /** `snapshot`: all keys were read; `delta`: only what has changed, or some keys. */
  readonly kind: 'snapshot' | 'delta';
  readonly reason: string;
  /** The generation readers see after this refresh. */
  readonly generation: number;
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Rows of this refresh that failed their schema. */
  readonly quarantined: number;
  /** A few of the keys that were added, updated or removed. */
  readonly sampleKeys: readonly string[];
  readonly tookMs: number;
  /** Removals that wait for confirmation, where the outcome is `held`. */
  readonly held?: number;
  /** It was only tried: nothing was published, whatever the outcome, and it is counted as no refresh. */
  readonly dryRun?: true;
  readonly error?: CacheError;
}

/** Removals that wait for confirmation. */
export interface HeldStatus {
  readonly keys: number;
  /** A few of them. */
  readonly sampleKeys: readonly string[];
  /** Answers in a row that lacked them, and how many of these are needed. */
  readonly answers: number;
  readonly needed: number;
  /** Only `accept()` makes them true. */
  readonly rejected: boolean;
  /** Since when something has been held. */
  readonly sinceMs: number;
}

export interface QuarantinedRow {
  readonly key: string;
  /** What the schema said. */
  readonly message: string;
  /** Age of the last good value that is still served; `undefined` where there is none. */
  readonly ageMs: number | undefined;
}

export interface CacheStatus {
  readonly name: string;
  readonly state: CacheState;
  /** Age of the whole set since it was last confirmed; `undefined`: never, or the source has no `fetchAll`. */
  readonly ageMs: number | undefined;
  readonly generation: number;
  readonly size: number;
  readonly breaker: BreakerState;
  /** Rows that failed their schema, at most 100 of them. */
  readonly quarantine: readonly QuarantinedRow[];
  readonly lastRefresh?: RefreshReport;
  readonly nextRefreshInMs?: number;
  /** Present while removals wait for confirmation. */
  readonly held?: HeldStatus;
  /** Does the source's watch stand? Present where the source has one. */
  readonly watching?: boolean;
  /** What the source says of itself. */
  readonly source?: Record<string, unknown>;
}

/** Counters since the cache was made, and sizes as of now. */
export interface CacheStats {
  /** Reads answered with a value from memory. */
  readonly hits: number;
  /** Reads that memory could not answer. */
  readonly misses: number;
  /** Of the hits: those answered with a stale value. */
  readonly staleHits: number;
  /** Fetches answered "absent" from memory. */
  readonly absentHits: number;
  readonly sourceCalls: number;
  readonly sourceFailures: number;
  /** Fetches that joined a source call made by another. */
  readonly coalesced: number;
  readonly refreshes: number;
  readonly refreshFailures: number;
  /** Fetches refused with `rate-limited`. */
  readonly rateLimited: number;
  readonly invalidations: number;
  readonly evictions: number;
  /** Keys with a value that readers can see. */
  readonly entries: number;
  /** Keys remembered as absent. */
  readonly negatives: number;
  /** Rows that fail their schema. */
  readonly quarantined: number;
}

export type KeyState = 'fresh' | 'stale' | 'absent' | 'unknown';

/** What is known of one key. */
export interface Inspection<T> {
  readonly state: KeyState;
  readonly value?: T;
  /** Since the value, or its absence, was last confirmed. */
  readonly ageMs?: number;
  readonly generation: number;
  /** What the schema said of the newest row, where it failed. */
  readonly quarantined?: string;
}
