/** The reads that may ask the source: what is fresh comes from memory, the rest is waited for, but not for long. */
import { assertKey, assertKeys, callOf, checkFlag, checkNames, NOT_NEGATIVE, toMs, wrongOption } from './checks.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { Duration } from './duration.ts';
import type { CacheError } from './errors.ts';
import type { Flight, Loader } from './loader.ts';
import { waitWithin } from './patience.ts';
import type { SourceCalls } from './source-calls.ts';
import type { Store } from './store.ts';

export interface FetchOptions {
  /** Ends this caller's wait, not the source call that others may share. */
  readonly signal?: AbortSignal;
  /** Ends this caller's wait: with a stale value where there is one, else with `source-timeout`. */
  readonly timeout?: Duration;
  /**
   * Ask the source, whatever is in memory or under way: the answer is that of a call which is sent after this. A
   * failure throws even if a stale value is held. @default false
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

/** Of a caller who has none. */
const NO_WISH: Wish = { reason: 'fetch', fresh: false, signal: undefined, timeout: undefined };

/** The soft timeout is over: time for the stale value, or for waiting on where there is none any more. */
const OUT_OF_PATIENCE = new Error('out of patience');

export class Fetching<T> {
  readonly #options: FetchingOptions<T>;

  constructor(options: FetchingOptions<T>) {
    this.#options = options;
  }

  /** Not an async function: a hit costs one settled promise, no more. */
  fetch(key: string, options?: FetchOptions): Promise<T | undefined> {
    // Options are checked before memory is asked: a wrong one is wrong whatever is held.
    if (options !== undefined) return this.#ask(key, options);
    const value = this.#fresh(key);
    if (value !== undefined) return Promise.resolve(value);
    return this.#share(key) ?? this.#ask(key, undefined);
  }

  async fetchMany(keys: Iterable<string>, options?: FetchOptions): Promise<ReadonlyMap<string, T>> {
    const wish = this.#wish('fetchMany', options);
    this.#assertRunning(undefined);
    const { found, failures, requested } = await this.#askMany(this.#keys('fetchMany', keys), wish);
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
      const requested = this.#keys('warm', keys).size;
      return { requested, loaded: 0, absent: 0, failed: requested };
    }
    const { found, failures, requested } = await this.#askMany(this.#keys('warm', keys), {
      ...NO_WISH,
      reason: 'warm',
    });
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

  /** What memory answers without asking anybody, counted as a hit. */
  #fresh(key: string): T | undefined {
    const { store, counters } = this.#options;
    const value = store.live.get(key);
    if (value === undefined || !(store.allFresh || !store.isStale(key))) return undefined;
    counters.reads += 1;
    return value;
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
    assertKey(key, this.#options.calls.cache, 'fetch');
    const wish = this.#wish('fetch', options);
    const value = wish.fresh ? undefined : this.#fresh(key);
    if (value !== undefined) return value;
    this.#assertRunning(key);
    if (!wish.fresh && this.absentFor(key, this.#options.clock.now()) !== undefined) {
      counters.absentHits += 1;
      return undefined;
    }
    if (wish.signal?.aborted) throw this.#gaveUp(key, wish.signal.reason);
    return this.#await(key, loader.load(key, wish), wish);
  }

  async #askMany(
    wanted: ReadonlySet<string>,
    wish: Wish,
  ): Promise<{ found: Map<string, T>; failures: CacheError[]; requested: number }> {
    const { loader, counters, clock } = this.#options;
    const answers = new Map<string, T | undefined>();
    const missing: string[] = [];
    const now = clock.now();
    for (const key of wanted) {
      const value = wish.fresh ? undefined : this.#fresh(key);
      if (value !== undefined) {
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
      // Not spread into one push: there may be more of them than a call takes arguments.
      for (const key of missing) failures.push(this.#gaveUp(key, wish.signal.reason));
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
    return { found, failures, requested: wanted.size };
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

  /** The different keys that were handed over. */
  #keys(method: string, keys: Iterable<string>): ReadonlySet<string> {
    return new Set(assertKeys(keys, this.#options.calls.cache, method));
  }

  #wish(method: string, options: FetchOptions | undefined): Wish {
    if (options === undefined) return NO_WISH;
    const where = callOf(this.#options.calls.cache, method);
    checkNames(where, options, ['signal', 'timeout', 'fresh']);
    const { signal, timeout, fresh = false } = options;
    checkFlag(where, 'fresh', fresh);
    if (signal !== undefined && !isSignal(signal)) throw wrongOption(where, 'signal', 'an AbortSignal', signal);
    const ms = timeout === undefined ? undefined : toMs(where, 'timeout', timeout, NOT_NEGATIVE);
    return { reason: 'fetch', fresh, signal, timeout: ms };
  }

  #assertRunning(key: string | undefined): void {
    if (this.#options.isStopped()) throw this.#options.calls.error('stopped', 'the cache is stopped', { key });
  }
}

/** By its shape: signals of another realm, or of another library, do as well. */
function isSignal(signal: Partial<AbortSignal> | null): boolean {
  return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}

/** The message without the cache's name, to be told inside another. */
function bare(error: CacheError): string {
  return error.message.replace(`cache "${error.cache}": `, '');
}
