/** A cache, and what no read of it may ever show. */
import { performance } from 'node:perf_hooks';
import { type Derived, type Inspection, TTLCacheService } from '../src/index.ts';
import type { CountingClock } from './counting-clock.ts';
import type { Faults } from './faults.ts';
import type { Truth } from './truth.ts';
import type { Row, UnsteadySource } from './unsteady-source.ts';

/** Short, so that every second sees deadlines, expiries and the end of stale values. */
const SETTINGS = {
  ttl: 300,
  refreshInterval: 100,
  staleIfError: 700,
  negativeTtl: 40,
  timeout: 80,
  refreshTimeout: 160,
  softTimeout: 10,
  maxAbsentPerSecond: 200,
} as const;

/** A busy event loop is late for its timers: a value may be seen so much longer than its time. */
const LATE_MS = 1_000;
const FLOORS_REMEMBERED = 250;

/** What a read that begins now must not fall behind. */
export interface Floor {
  /** The request after which everything, or this key, was last invalidated. */
  readonly invalidatedAfter: number;
  /** What this reader has seen last. */
  readonly seen: Row | undefined;
}

/** What one reader has seen last of each key, the latest at the end. */
export type Seen = Map<string, Row>;

const SEEN_REMEMBERED = 250;

export interface CheckedCacheParts {
  readonly name: string;
  readonly source: UnsteadySource;
  readonly clock: CountingClock;
  readonly truth: Truth;
  readonly faults: Faults;
}

export class CheckedCache {
  readonly name: string;
  readonly cache: TTLCacheService<Row>;
  readonly source: UnsteadySource;
  readonly clock: CountingClock;
  readonly derived: Derived<{ readonly row: Row }>;
  /** Single keys can be asked for: what always exists is never absent. */
  readonly canReadKeys: boolean;
  /**
   * Reads that went backwards while removals were held. A fetch that is overtaken by the snapshot whose removals are
   * held answers its caller but is not stored; the row that is held stays, and may be older. Counted, not a fault:
   *
   *     fetch a   ──request 2──▶ ………………………………………… v2: to its caller alone
   *     snapshot  ──request 3──▶ lacks a: held, a stays v1
   *     get a                                               v1
   */
  behindWhileHeld = 0;
  readonly #truth: Truth;
  readonly #faults: Faults;
  readonly #follows: boolean;
  readonly #invalidatedAt = new Map<string, number>();
  #allInvalidatedAt = 0;

  constructor({ name, source, clock, truth, faults }: CheckedCacheParts) {
    this.name = name;
    this.source = source;
    this.clock = clock;
    this.#truth = truth;
    this.#faults = faults;
    this.#follows = source.fetchChanges !== undefined;
    this.canReadKeys = source.fetchOne !== undefined || source.fetchMany !== undefined;
    const bound = source.fetchAll === undefined ? { maxEntries: 150 } : {};
    this.cache = new TTLCacheService<Row>({ name, source, clock, ...SETTINGS, ...bound });
    this.derived = this.cache.derive((row) => ({ row }));
    this.cache.on('error', ({ message, cause }) => {
      if (cause instanceof TypeError) faults.note("a failure is not of the source's making", `${name}: ${message}`);
    });
  }

  async invalidate(keys: readonly string[]): Promise<void> {
    const at = this.source.requests;
    await this.cache.invalidate(keys);
    for (const key of keys) {
      const before = this.#invalidatedAt.get(key) ?? 0;
      this.#invalidatedAt.delete(key);
      this.#invalidatedAt.set(key, Math.max(before, at));
    }
    dropOldest(this.#invalidatedAt, FLOORS_REMEMBERED);
  }

  async invalidateAll(): Promise<void> {
    const at = this.source.requests;
    await this.cache.invalidateAll();
    this.#allInvalidatedAt = Math.max(at, this.#allInvalidatedAt);
  }

  /** To be asked when a read begins. */
  floor(key: string, seen: Seen): Floor {
    const invalidatedAfter = Math.max(this.#allInvalidatedAt, this.#invalidatedAt.get(key) ?? 0);
    return { invalidatedAfter, seen: seen.get(key) };
  }

  /** A read has ended. */
  check(key: string, row: Row | undefined, floor: Floor, seen: Seen): void {
    if (row === undefined) return;
    const told = `${this.name}: "${key}" of request ${row.sent}, commit ${row.commit}`;
    if (row.key !== key) this.#wrong('is of another key', `${told}: it is of "${row.key}"`);
    if (row.sent <= floor.invalidatedAfter) {
      this.#wrong(
        'was requested before an invalidation that had resolved when the read began',
        `${told}: invalidated after request ${floor.invalidatedAfter}`,
      );
    }
    if (floor.seen !== undefined && this.#isBehind(row, floor.seen)) {
      if (this.cache.status().held !== undefined) this.behindWhileHeld += 1;
      else
        this.#wrong('goes backwards', `${told}: seen before: request ${floor.seen.sent}, commit ${floor.seen.commit}`);
    }
    if (row.sent > this.source.requests || row.commit > this.#truth.commits) {
      this.#wrong('is from the future', `${told}: now is ${this.source.requests}, ${this.#truth.commits}`);
    }
    const ageMs = performance.now() - row.sentAt;
    if (!this.#follows && ageMs > SETTINGS.ttl + SETTINGS.staleIfError + LATE_MS) {
      this.#wrong('is too old', `${told}: ${Math.round(ageMs)} ms`);
    }
    seen.delete(key);
    seen.set(key, row);
    dropOldest(seen, SEEN_REMEMBERED);
  }

  /**
   * Where changes are followed, a delta that says nothing of a row has confirmed it: it may be of an older request than
   * what was seen before, but it must have been true after that was requested.
   */
  #isBehind(row: Row, seen: Row): boolean {
    return this.#follows ? this.#truth.endOf(row.key, row.commit) <= seen.sentAfter : row.sent < seen.sent;
  }

  /** The age of a value, as inspected after `from`, is at least the time since it was requested. */
  checkAge({ value, ageMs }: Inspection<Row>, from: number): void {
    if (value === undefined || ageMs === undefined || this.#follows) return;
    const least = from - value.sentAt;
    if (ageMs < least) this.#wrong('looks younger than it is', `${this.name}: ${ageMs} ms, not ${least} ms`);
  }

  #wrong(what: string, details: string): void {
    this.#faults.note(`a value that was read ${what}`, details);
  }
}

/** Keys that are gone for good need not be remembered. */
function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const [oldest] of map) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
