/** The cache: the face that its parts have in common, and their life from start to stop. */
import type { Cache, RefreshOptions } from './cache.ts';
import { type CacheSnapshot, type SnapshotOptions, Snapshots } from './cache-snapshot.ts';
import { assertKeys, callOf, checkFlag, checkNames, noArray } from './checks.ts';
import type { Counters } from './counters.ts';
import { type Derived, deriveFrom } from './derive.ts';
import type { CacheEventName, CacheListener } from './events.ts';
import type { FetchOptions, WarmReport } from './fetching.ts';
import { type OptionsWithSchema, type ResolvedOptions, resolveOptions, type TTLCacheOptions } from './options.ts';
import { assemble, type Parts } from './parts.ts';
import { settledWithin } from './patience.ts';
import { EVERYTHING } from './round.ts';
import type { CacheStats, CacheStatus, Inspection, RefreshReport } from './status.ts';
import { statusOf } from './status-of.ts';
import type { Store } from './store.ts';

/**
 * A live copy of what a source holds: loaded at start, checked against the source all the time, served through
 * outages. `get` never waits; `fetch` waits only for what is not in memory.
 *
 * ```ts
 * const tools = new TTLCacheService<Tool[]>({ name: 'tools', source: { fetchAll, fetchOne } });
 * await tools.start();
 * await tools.fetch('agent-1');
 * ```
 */
export class TTLCacheService<T> implements Cache<T> {
  /** The name given in the options. */
  readonly name: string;
  readonly #options: ResolvedOptions<T>;
  readonly #parts: Parts<T>;
  // Kept here too: one step less on the hit path.
  readonly #store: Store<T>;
  readonly #counters: Counters;
  readonly #snapshots: Snapshots<T>;
  #starting: Promise<void> = Promise.resolve();
  /** Which start this is: what an earlier one still has under way is no longer its business. */
  #session = 0;
  #unsubscribe: (() => void) | undefined;

  // Of its own, so that T is what the schema gives, whatever the source's rows are.
  constructor(options: OptionsWithSchema<T>);
  /** @throws TypeError where an option is wrong or unknown: which one, what was expected, what came. */
  constructor(options: TTLCacheOptions<T>);
  constructor(options: TTLCacheOptions<T>) {
    this.#options = resolveOptions(options);
    this.name = this.#options.name;
    this.#parts = assemble<T>(this.#options);
    this.#store = this.#parts.store;
    this.#snapshots = new Snapshots(this.#store, this.#parts.calls, this.#options.clock);
    this.#counters = this.#parts.counters;
  }

  /**
   * Loads everything and keeps it true from now on; a source without `fetchAll` has nothing to load. Resolves when the
   * first attempt has ended, whatever its outcome, or when stopped meanwhile. Where the source has kept what was known
   * before (`restore`), that is served first, and the attempt is waited for no longer than `softTimeout`.
   * @throws CacheError with `onStartFailure: 'throw'`, if the first load failed and nothing was kept; the cache is
   * stopped then.
   */
  start(): Promise<void> {
    const { lifecycle } = this.#parts.health;
    if (lifecycle === 'idle' || lifecycle === 'stopped') this.#starting = this.#start();
    return this.#starting;
  }

  /**
   * Stops serving: `get` answers undefined, `fetch` throws `stopped`, calls under way are aborted, what was held is
   * dropped. Safe at any time; `start()` works again.
   */
  async stop(): Promise<void> {
    this.#session += 1;
    const { health, watcher, refresher, calls, loader, fence, kept } = this.#parts;
    health.lifecycle = 'stopped';
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    const unwatched = watcher.stop();
    refresher.stop();
    calls.stop();
    loader.stop();
    fence.invalidateAll();
    this.#snapshots.closeAll();
    this.#store.forgetAll();
    health.update();
    await Promise.all([unwatched, kept.stopped()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** What is in memory, fresh or stale; `undefined`: not in memory. Never waits, never throws. */
  get(key: string): T | undefined {
    return this.#store.reads.get(key);
  }

  /**
   * `get` for several keys, aligned with them.
   * @throws TypeError where they are no array.
   */
  getMany(keys: readonly string[]): (T | undefined)[] {
    // A text would be read letter by letter, and a Set has no length to be counted.
    if (!Array.isArray(keys)) throw noArray(keys, this.name);
    // A loop, and counted once: a call for each key costs half as much again as the look-ups.
    const { live, allFresh } = this.#store;
    const values = new Array<T | undefined>(keys.length);
    let misses = 0;
    for (let index = 0; index < keys.length; index += 1) {
      const value = live.get(keys[index]!);
      values[index] = value;
      misses += value === undefined ? 1 : 0;
    }
    this.#counters.reads += keys.length;
    this.#counters.misses += misses;
    if (allFresh) return values;
    for (let index = 0; index < keys.length; index += 1) {
      if (values[index] !== undefined && this.#store.isStale(keys[index]!)) this.#counters.staleHits += 1;
    }
    return values;
  }

  /**
   * The value if it is fresh in memory, else the source's answer; `undefined`: the source has none. A stale value is
   * served where no newer one can be had, at the latest after `softTimeout`.
   * @throws CacheError where nobody can say.
   */
  fetch(key: string, options?: FetchOptions): Promise<T | undefined> {
    return this.#parts.fetching.fetch(key, options);
  }

  /**
   * `fetch` for several keys: what exists, in the order of the keys. One source call where the source has `fetchMany`,
   * else sixteen at a time.
   * @throws CacheError if one key can neither be answered nor served stale; `partial` holds what could be.
   */
  fetchMany(keys: Iterable<string>, options?: FetchOptions): Promise<ReadonlyMap<string, T>> {
    return this.#parts.fetching.fetchMany(keys, options);
  }

  /** `fetchMany` that only counts, and does not throw for the source's failure. */
  warm(keys: Iterable<string>): Promise<WarmReport> {
    return this.#parts.fetching.warm(keys);
  }

  /** Is there a value in memory? Does not count as a read. */
  has(key: string): boolean {
    return this.#store.live.has(key);
  }

  /** The number of values in memory. */
  get size(): number {
    return this.#store.live.size;
  }

  /** The keys in memory. */
  keys(): IterableIterator<string> {
    return this.#store.live.keys();
  }

  /** Keys and values in memory. To read them over several awaits, take a `snapshot()`. */
  entries(): IterableIterator<[string, T]> {
    return this.#store.live.entries();
  }

  /**
   * Another number whenever a value that readers can see has changed, come or gone, by whatever way; sometimes also when
   * none has. What was computed from the whole set is true as long as this is the same.
   */
  get revision(): number {
    return this.#store.views.revision;
  }

  /** What is known of a key. Does not count as a read. */
  inspect(key: string): Inspection<T> {
    const now = this.#options.clock.now();
    const { generation, live, quarantine } = this.#store;
    const problem = quarantine.get(key);
    const rest = { generation, ...(problem === undefined ? {} : { quarantined: problem }) };
    const value = live.get(key);
    const ageMs = this.#store.ageOf(key, now);
    if (value !== undefined && ageMs !== undefined) {
      return { state: ageMs <= this.#options.ttl ? 'fresh' : 'stale', value, ageMs, ...rest };
    }
    const absentFor = this.#parts.fetching.absentFor(key, now);
    return absentFor === undefined ? { state: 'unknown', ...rest } : { state: 'absent', ageMs: absentFor, ...rest };
  }

  /**
   * Forgets a key, or several: they are unknown until the source is asked again. No read that starts after this
   * resolved returns a value that was requested before it was called.
   * @throws TypeError where a key is no string; `undefined` is never "all". CacheError with code `not-saved`: they are
   * forgotten, but what the source keeps for the next start could not be told.
   */
  async invalidate(keyOrKeys: string | readonly string[]): Promise<void> {
    const keys = assertKeys(Array.isArray(keyOrKeys) ? keyOrKeys : [keyOrKeys], this.name, 'invalidate');
    for (const key of keys) {
      this.#parts.fence.invalidate(key);
      this.#parts.loader.forget(key);
    }
    this.#store.forget(keys);
    this.#counters.invalidations += keys.length;
    if (keys.length === 0) return;
    const noted = this.#parts.kept.invalidated(keys);
    if (this.#options.source.fetchAll !== undefined) this.#parts.refresher.nudge('invalidate', keys);
    await noted;
  }

  /**
   * Forgets everything.
   * @throws CacheError as `invalidate`.
   */
  async invalidateAll(): Promise<void> {
    this.#parts.fence.invalidateAll();
    this.#parts.loader.forgetAll();
    this.#store.forgetAll();
    this.#counters.invalidations += 1;
    const noted = this.#parts.kept.invalidated(undefined);
    if (this.#options.source.fetchAll !== undefined) this.#parts.refresher.nudge('invalidate');
    this.#parts.health.update();
    await noted;
  }

  /**
   * Checks against the source now: by what has changed where the source can say, else by a whole snapshot; a source
   * that can only be asked for single keys is asked for what is held. Never throws for the source's failure: the
   * report says it.
   */
  async refresh(options: RefreshOptions = {}): Promise<RefreshReport> {
    const where = callOf(this.name, 'refresh');
    checkNames(where, options, ['full', 'keys', 'dryRun']);
    const { full = false, keys: given, dryRun = false } = options;
    checkFlag(where, 'full', full);
    checkFlag(where, 'dryRun', dryRun);
    const keys = given === undefined ? [] : assertKeys(given, this.name, 'refresh');
    const request = { whole: full || given === undefined, full, keys, dryRun, insist: true };
    return this.#parts.refresher.refresh({ ...EVERYTHING, ...request, reason: 'manual' });
  }

  /** Makes true what is held: the rows go now. Returns false if nothing is held. */
  accept(): boolean {
    const { held, events, fence } = this.#parts;
    const removed = [...held.keys()];
    if (removed.length === 0) return false;
    // A snapshot under way was compared with rows that are about to go: the next one says whether they are back.
    for (const key of removed) fence.invalidate(key);
    held.clear();
    this.#store.remove(removed);
    this.#store.generation += 1;
    events.emit('change', { generation: this.#store.generation, added: [], updated: [], removed });
    this.#parts.health.update();
    return true;
  }

  /**
   * The source is wrong: however often it repeats what is held, only `accept()` makes it true. Ends when the rows come
   * back; until then they age. Returns false if nothing is held.
   */
  reject(): boolean {
    return this.#parts.held.reject();
  }

  /**
   * What is in memory now, unchanging, to be read over several awaits. Close it after use:
   *
   * ```ts
   * using prices = cache.snapshot();
   * ```
   * @throws CacheError with code `stopped` after a stop.
   */
  snapshot(options?: SnapshotOptions): CacheSnapshot<T> {
    return this.#snapshots.open(options);
  }

  /** A view in which each value is replaced by what `compute` makes of it: once per value, dropped with it. */
  derive<D>(compute: (value: T) => D): Derived<D> {
    return deriveFrom(
      (key) => this.get(key),
      () => this.#store.live,
      compute,
    );
  }

  /** Calls `listener` at each event of this name. Returns a function that ends it. */
  on<Name extends CacheEventName>(name: Name, listener: CacheListener<Name>): () => void {
    return this.#parts.events.on(name, listener);
  }

  /** Counters and sizes, as of now. */
  stats(): CacheStats {
    const { live, negatives, quarantine } = this.#store;
    const { reads, ...counted } = this.#counters;
    return {
      hits: reads - counted.misses,
      ...counted,
      entries: live.size,
      negatives: negatives.size,
      quarantined: quarantine.size,
    };
  }

  /** How the last 100 refreshes ended, the oldest first. */
  reports(): readonly RefreshReport[] {
    return this.#parts.health.reports;
  }

  /** How the cache is doing, as of now. */
  status(): CacheStatus {
    return statusOf(this.name, this.#options, this.#parts);
  }

  async #start(): Promise<void> {
    const session = ++this.#session;
    const { health, calls, breaker, refresher, watcher, restore } = this.#parts;
    const { source, clock, softTimeout } = this.#options;
    health.begin();
    calls.start();
    const isServing = source.restore !== undefined && (await restore());
    if (session !== this.#session) return;
    this.#unsubscribe = breaker.subscribe((state) => this.#noteBreaker(state === 'closed'));
    const loads = source.fetchAll !== undefined;
    refresher.start(loads ? 'now' : 'later');
    watcher.start();
    health.update();
    const first = loads ? refresher.refresh({ ...EVERYTHING, reason: 'start', awaited: !isServing }) : undefined;
    const report = await (first && isServing ? settledWithin(first, clock, softTimeout) : first);
    // Stopped meanwhile, and perhaps started again: that is another start's business.
    if (session !== this.#session) return;
    if (report?.error !== undefined && !isServing && this.#options.onStartFailure === 'throw') {
      await this.stop();
      throw report.error;
    }
    health.lifecycle = 'started';
    health.update();
  }

  #noteBreaker(closed: boolean): void {
    const { health, refresher, watcher } = this.#parts;
    if (closed) {
      health.noteOutage(false);
      refresher.recovered();
      watcher.recovered();
    }
    health.update();
  }
}
