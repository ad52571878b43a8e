/** The reads that may ask the source: what is fresh comes from memory, the rest is waited for, but not for long. */
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import { type Duration, parseDuration } from './duration.ts';
import type { CacheError } from './errors.ts';
import type { Flight, Loader } from './loader.ts';
import { checkNames } from './options.ts';
import { waitWithin } from './patience.ts';
import type { SourceCalls } from './source-calls.ts';
import type { Store } from './store.ts';

export interface FetchOptions {
  /** Ends this caller's wait, not the source call that others may share. */
  readonly signal?: AbortSignal;
  /** Ends this caller's wait: with a stale value where there is one, else with `source-timeout`. */
  readonly timeout?: Duration;
  /**
   * Ask the source now, whatever is in memory or under way: each such fetch is a source call of its own. A failure
   * throws even if a stale value is held. @default false
   */
  readonly fresh?: boolean;
}

/** What `warm` did. */
export interface WarmReport {
  /** Different keys that were asked for. */
  readonly requested: number;
  readonly loaded: number;
  readonly absent: number;
  readonly failed: number;
}

interface FetchingOptions<T> {
  readonly store: Store<T>;
  readonly loader: Loader<T>;
  readonly calls: SourceCalls;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly softTimeout: number;
  /** A value older than this is not served, whatever happens. */
  readonly maxAge: number;
  /** For how long the last refresh's word counts that there is no such key; 0: ask for it. */
  readonly missingTtl: number;
  readonly isStopped: () => boolean;
}

/** A caller's options, checked. */
interface Wish {
  readonly reason: string;
  readonly fresh: boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number | undefined;
}

/** The soft timeout is over: time for the stale value, or for waiting on where there is none any more. */
const OUT_OF_PATIENCE = new Error('out of patience');

export class Fetching<T> {
  readonly #options: FetchingOptions<T>;

  constructor(options: FetchingOptions<T>) {
    this.#options = options;
  }

  /** Not an async function: a hit costs one settled promise, no more. */
  fetch(key: string, options?: FetchOptions): Promise<T | undefined> {
    if (options?.fresh !== true) {
      const { store, counters } = this.#options;
      const value = store.live.get(key);
      if (value !== undefined && (store.allFresh || !store.isStale(key))) {
        counters.reads += 1;
        return Promise.resolve(value);
      }
    }
    return (options === undefined ? this.#share(key) : undefined) ?? this.#ask(key, options);
  }

  async fetchMany(keys: Iterable<string>, options?: FetchOptions): Promise<ReadonlyMap<string, T>> {
    const wish = toWish('fetch', options);
    this.#assertRunning(undefined);
    const { found, failures, requested } = await this.#askMany(keys, wish);
    const [first] = failures;
    if (first === undefined) return found;
    throw this.#options.calls.error(
      first.code,
      `${failures.length} of ${requested} keys could not be answered; the first because ${bare(first)}`,
      { cause: first, partial: found },
    );
  }

  async warm(keys: Iterable<string>): Promise<WarmReport> {
    if (this.#options.isStopped()) {
      // Nor a flight that a fetch after the next start could join.
      const requested = new Set(assertKeys(keys)).size;
      return { requested, loaded: 0, absent: 0, failed: requested };
    }
    const { found, failures, requested } = await this.#askMany(keys, toWish('warm', undefined));
    const failed = failures.length;
    return { requested, loaded: found.size, absent: requested - found.size - failed, failed };
  }

  /** Since the key is known to be absent; `undefined`: it is not, or it is time to ask again. */
  absentFor(key: string, now: number): number | undefined {
    const { store, missingTtl } = this.#options;
    const absentFor = store.absentFor(key, now);
    if (absentFor !== undefined || missingTtl === 0) return absentFor;
    const missingFor = store.missingFromBaseFor(key, now);
    return missingFor !== undefined && missingFor <= missingTtl ? missingFor : undefined;
  }

  /** In a crowd: the promise of the flight under way itself, where that is all there is to wait for. */
  #share(key: string): Promise<T | undefined> | undefined {
    const { loader, store, counters, clock } = this.#options;
    if (!loader.isUnderWay(key) || store.staleValue(key) !== undefined) return undefined;
    if (this.absentFor(key, clock.now()) !== undefined) return undefined;
    const flight = loader.join(key);
    if (flight === undefined) return undefined;
    counters.miss();
    return flight.promise;
  }

  async #ask(key: string, options: FetchOptions | undefined): Promise<T | undefined> {
    const { loader, counters } = this.#options;
    assertKey(key);
    const wish = toWish('fetch', options);
    this.#assertRunning(key);
    if (!wish.fresh && this.absentFor(key, this.#options.clock.now()) !== undefined) {
      counters.absentHits += 1;
      return undefined;
    }
    if (wish.signal?.aborted) throw this.#gaveUp(key, wish.signal.reason);
    return this.#await(key, loader.load(key, wish), wish);
  }

  async #askMany(
    keys: Iterable<string>,
    wish: Wish,
  ): Promise<{ found: Map<string, T>; failures: CacheError[]; requested: number }> {
    const { store, loader, counters, clock } = this.#options;
    const wanted = new Set(assertKeys(keys));
    const answers = new Map<string, T | undefined>();
    const missing: string[] = [];
    const now = clock.now();
    for (const key of wanted) {
      const value = store.live.get(key);
      if (!wish.fresh && value !== undefined && (store.allFresh || !store.isStale(key))) {
        counters.reads += 1;
        answers.set(key, value);
      } else if (!wish.fresh && this.absentFor(key, now) !== undefined) {
        counters.absentHits += 1;
        answers.set(key, undefined);
      } else {
        answers.set(key, undefined);
        missing.push(key);
      }
    }
    const failures: CacheError[] = [];
    if (wish.signal?.aborted) {
      failures.push(...missing.map((key) => this.#gaveUp(key, wish.signal?.reason)));
      missing.length = 0;
    }
    const flights = [...loader.loadMany(missing, wish)];
    await Promise.all(
      flights.map(async ([key, flight]) => {
        try {
          answers.set(key, await this.#await(key, flight, wish));
        } catch (error) {
          failures.push(error as CacheError);
        }
      }),
    );
    const found = new Map<string, T>();
    for (const [key, value] of answers) if (value !== undefined) found.set(key, value);
    return { found, failures, requested: answers.size };
  }

  /** Waits for a flight as long as this caller wants to; a stale value is a reason not to wait long. */
  async #await(key: string, flight: Flight<T>, wish: Wish): Promise<T | undefined> {
    const { clock, counters, softTimeout } = this.#options;
    const begunAt = clock.now();
    const timeout = wish.timeout ?? Number.POSITIVE_INFINITY;
    if (!wish.fresh && this.#staleValue(key) !== undefined) {
      const patience = Math.min(softTimeout - (begunAt - flight.startedAt), timeout);
      try {
        if (patience <= 0) throw OUT_OF_PATIENCE;
        const value = await this.#wait(key, flight, wish, patience, () => OUT_OF_PATIENCE);
        counters.miss();
        return value;
      } catch (error) {
        // Looked up again: it may have been invalidated meanwhile.
        const stale = this.#staleValue(key);
        if (stale !== undefined && (error as CacheError).code !== 'aborted') {
          counters.reads += 1;
          counters.staleHits += 1;
          return stale;
        }
        if (error !== OUT_OF_PATIENCE) throw error;
      }
    }
    counters.miss();
    return this.#wait(key, flight, wish, timeout - (clock.now() - begunAt), () => this.#tooLate(key));
  }

  #wait(
    key: string,
    flight: Flight<T>,
    { signal }: Wish,
    timeout: number,
    onTimeout: () => Error,
  ): Promise<T | undefined> {
    const { clock } = this.#options;
    return waitWithin(flight.promise, clock, {
      signal,
      timeout,
      onTimeout,
      onAbort: (cause) => this.#gaveUp(key, cause),
    });
  }

  #gaveUp(key: string, cause: unknown): CacheError {
    return this.#options.calls.error('aborted', 'the caller gave up', { key, cause });
  }

  #tooLate(key: string): CacheError {
    return this.#options.calls.error('source-timeout', 'the source did not answer within the time of the caller', {
      key,
    });
  }

  #staleValue(key: string): T | undefined {
    const { store, clock, maxAge } = this.#options;
    const age = store.ageOf(key, clock.now());
    return age !== undefined && age <= maxAge ? store.staleValue(key) : undefined;
  }

  #assertRunning(key: string | undefined): void {
    if (this.#options.isStopped()) throw this.#options.calls.error('stopped', 'the cache is stopped', { key });
  }
}

function assertKey(key: unknown): asserts key is string {
  if (typeof key !== 'string')
    throw new TypeError(`expected a key to be a string, got ${key === null ? 'null' : typeof key}`);
}

/** The keys, as an array. A string is iterable too, but never meant as keys of one letter each. */
export function assertKeys(keys: Iterable<string>): readonly string[] {
  if (typeof keys !== 'object' || keys === null || !(Symbol.iterator in keys)) {
    throw new TypeError(`expected an iterable of keys, got ${keys === null ? 'null' : typeof keys}`);
  }
  const all = [...keys];
  for (const key of all) assertKey(key);
  return all;
}

function toWish(reason: string, options: FetchOptions = {}): Wish {
  checkNames('fetch', options, ['signal', 'timeout', 'fresh']);
  const { signal, timeout, fresh = false } = options;
  const ms = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && !(ms !== undefined && ms >= 0)) {
    throw new TypeError(`expected timeout to be a duration of 0 or more, got ${String(timeout)}`);
  }
  return { reason, fresh, signal, timeout: ms };
}

/** The message without the cache's name, to be told inside another. */
function bare(error: CacheError): string {
  return error.message.replace(`cache "${error.cache}": `, '');
}
