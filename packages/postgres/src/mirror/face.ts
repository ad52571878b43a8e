/**
 * What a table and a view of a mirror have in common: the face of a cache, over the one cache that holds the rows of all
 * tables. What is fresh, stale, absent, held or failing is that cache's to say; it is asked about the row that makes the
 * key exist. What is special is where a value comes from.
 */
import {
  assertKey,
  assertKeys,
  type Cache,
  type CacheChange,
  CacheError,
  type CacheEventName,
  type CacheListener,
  type CacheStats,
  type CacheStatus,
  type Derived,
  deriveFrom,
  Events,
  type FetchOptions,
  type Frozen,
  type Inspection,
  type RefreshOptions,
  type RefreshReport,
  type SnapshotOptions,
  type WarmReport,
} from 'evercache';
import type { MirrorCore } from './mirror-core.ts';
import { MARKERS } from './mirror-source.ts';
import { ReadCounts } from './read-counts.ts';
import type { Shown } from './tables.ts';

const QUARANTINE_SHOWN = 100;

/** Events that are the same for everything that is read of a mirror. */
const SHARED_EVENTS = ['error', 'held', 'state'] as const;

/** What is in memory under a key; `problem`: the newest value was refused, and `value` is the last good one, if any. */
export interface Found<V> {
  readonly value: V | undefined;
  readonly problem?: string | undefined;
  /** Since that value was confirmed; `undefined`: with everything else. */
  readonly ageMs?: number | undefined;
}

export abstract class MirrorFace<V> implements Cache<V> {
  readonly name: string;
  protected readonly core: MirrorCore;
  protected readonly events: Events;
  #changeListeners = 0;
  readonly #counts = new ReadCounts();

  constructor(name: string, core: MirrorCore) {
    this.name = name;
    this.core = core;
    this.events = new Events(name);
    for (const event of SHARED_EVENTS) core.cache.on(event, (data) => this.events.emit(event, data));
    core.onRefresh((report) => this.events.emit('refresh', report));
    core.faces.add(this);
  }

  /** A generation is shown: what was made of another is dropped, before anybody hears of it. */
  abstract note(shown: Shown): void;

  /** What is known by these names has been read again since it was invalidated. */
  abstract readAgain(names: ReadonlySet<string>): void;

  /** Listeners may look. */
  tell(shown: Shown): void {
    if (this.#changeListeners === 0) return;
    const { generation } = shown;
    const { added, updated, removed } = this.changesOf(shown);
    if (added.length + updated.length + removed.length === 0) return;
    this.events.emit('change', { generation, added, updated, removed });
  }

  /** Stopped: nothing is kept. */
  abstract forget(): void;

  /** When everything that was published is ready to be read. */
  async settled(): Promise<void> {
    await this.core.tables.settled();
  }

  /** What of it concerns this table or view, in its own keys. */
  protected abstract changesOf(shown: Shown): Omit<CacheChange, 'generation'>;

  /** The key of the row that makes this key exist. */
  protected abstract rowKey(key: string): string;
  /** The name under which this key is known to be invalidated. */
  protected abstract invalidKey(key: string): string;
  /** What is in memory now. Called for keys that may be read. */
  protected abstract find(key: string): Found<V> | undefined;
  /** The keys of the rows that the value was made of. */
  protected abstract inputs(key: string): Iterable<string>;
  /** Rows and values that were refused. */
  protected abstract refused(): CacheStatus['quarantine'];
  abstract readonly size: number;
  abstract keys(): IterableIterator<string>;
  abstract snapshot(options?: SnapshotOptions): Frozen<V>;

  start(): Promise<void> {
    return this.core.start();
  }

  stop(): Promise<void> {
    return this.core.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get(key: string): V | undefined {
    const value = this.peek(key);
    this.#counts.count(value, this.core.isStale);
    return value;
  }

  getMany(keys: readonly string[]): (V | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  *entries(): Generator<[string, V]> {
    for (const key of this.keys()) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  async fetch(key: string, options?: FetchOptions): Promise<V | undefined> {
    assertKey(key, this.name, 'fetch');
    try {
      const row = await this.#ask([key], options, () => this.core.cache.fetch(this.rowKey(key), options));
      if (row === undefined) {
        this.#counts.absentHits += 1;
        return undefined;
      }
      const { value, refusal } = this.#answer(key);
      if (refusal !== undefined) throw refusal;
      this.#counts.count(value, this.core.isStale);
      return value;
    } catch (error) {
      throw this.#toOwn(error, key);
    }
  }

  async fetchMany(keys: Iterable<string>, options?: FetchOptions): Promise<ReadonlyMap<string, V>> {
    const wanted = [...new Set(assertKeys(keys, this.name, 'fetchMany'))];
    const failures: CacheError[] = [];
    try {
      const rows = wanted.map((key) => this.rowKey(key));
      await this.#ask(wanted, options, () => this.core.cache.fetchMany(rows, options));
    } catch (error) {
      if (!CacheError.isInstance(error)) throw error;
      failures.push(error);
    }
    await this.core.tables.settled();
    const found = new Map<string, V>();
    for (const key of wanted) {
      const { value, refusal } = this.#answer(key);
      this.#counts.count(value, this.core.isStale);
      if (value !== undefined) found.set(key, value);
      else if (refusal !== undefined) failures.push(refusal);
    }
    const [first] = failures;
    if (first === undefined) return found;
    const { code } = first;
    throw new CacheError({ code, cache: this.name, message: bare(first), cause: first, partial: found });
  }

  async warm(keys: Iterable<string>): Promise<WarmReport> {
    const wanted = [...new Set(assertKeys(keys, this.name, 'warm'))];
    const { absent, failed } = await this.core.cache.warm(wanted.map((key) => this.rowKey(key)));
    await this.core.tables.settled();
    const loaded = wanted.filter((key) => this.has(key)).length;
    return { requested: wanted.length, loaded, absent, failed: Math.max(failed, wanted.length - loaded - absent) };
  }

  inspect(key: string): Inspection<V> {
    const { cache } = this.core;
    const { value: _row, ...row } = cache.inspect(this.rowKey(key));
    if (row.state === 'absent') return row;
    const found = this.#open(key);
    const { generation } = row;
    const quarantined = found?.problem ?? row.quarantined;
    const rest = { generation, ...(quarantined === undefined ? {} : { quarantined }) };
    if (found?.value === undefined || row.ageMs === undefined) return { state: 'unknown', ...rest };
    let { state, ageMs } = row;
    ageMs = Math.max(ageMs, found.ageMs ?? 0);
    if (ageMs > this.core.ttl) state = 'stale';
    // As old as the oldest of what it was made of.
    for (const input of this.inputs(key)) {
      const known = cache.inspect(input);
      ageMs = Math.max(ageMs, known.ageMs ?? 0);
      if (known.state === 'stale') state = 'stale';
    }
    return { state, value: found.value, ageMs, ...rest };
  }

  async invalidate(keyOrKeys: string | readonly string[]): Promise<void> {
    const keys = assertKeys(Array.isArray(keyOrKeys) ? keyOrKeys : [keyOrKeys], this.name, 'invalidate');
    this.#counts.invalidations += keys.length;
    if (keys.length === 0) return;
    await this.core.reread(keys.map((key) => this.invalidKey(key)));
  }

  invalidateAll(): Promise<void> {
    this.#counts.invalidations += 1;
    return this.core.invalidateAll();
  }

  async refresh(options: RefreshOptions = {}): Promise<RefreshReport> {
    const report = await this.core.refresh(options);
    await this.settled();
    return report;
  }

  accept(): boolean {
    return this.core.cache.accept();
  }

  reject(): boolean {
    return this.core.cache.reject();
  }

  derive<D>(compute: (value: V) => D): Derived<D> {
    return deriveFrom(
      (key) => this.get(key),
      () => ({ size: this.size, has: (key) => this.has(key) }),
      compute,
    );
  }

  on<Name extends CacheEventName>(name: Name, listener: CacheListener<Name>): () => void {
    const off = this.events.on(name, listener);
    if (name !== 'change') return off;
    this.#changeListeners += 1;
    let isOn = true;
    return () => {
      if (isOn) this.#changeListeners -= 1;
      isOn = false;
      off();
    };
  }

  stats(): CacheStats {
    return { ...this.core.cache.stats(), ...this.#counts, entries: this.size, quarantined: this.refused().length };
  }

  reports(): readonly RefreshReport[] {
    return this.core.reports();
  }

  status(): CacheStatus {
    return {
      ...this.core.status(),
      name: this.name,
      size: this.size,
      quarantine: this.refused().slice(0, QUARANTINE_SHOWN),
    };
  }

  /** What may be read, uncounted. */
  protected peek(key: string): V | undefined {
    return this.#open(key)?.value;
  }

  #open(key: string): Found<V> | undefined {
    return this.core.tables.isOpen && !this.#isInvalidated(key) ? this.find(key) : undefined;
  }

  /** Until it is read again: the key itself, or something that its value was made of. */
  #isInvalidated(key: string): boolean {
    const { invalid } = this.core;
    if (invalid.size === 0) return false;
    if (invalid.has(this.invalidKey(key))) return true;
    for (const input of this.inputs(key)) if (invalid.has(input)) return true;
    return false;
  }

  /** Asks for rows by the rules of `fetch`; what was invalidated, also while they were awaited, is read again first. */
  async #ask<R>(keys: readonly string[], options: FetchOptions | undefined, rows: () => Promise<R>): Promise<R> {
    const { cache, tables } = this.core;
    for (;;) {
      if (keys.some((key) => this.#isInvalidated(key))) await cache.fetch(MARKERS.reread, options);
      const answer = await rows();
      await tables.settled();
      // Not once more for a row that was read again and could not be confirmed.
      if (cache.has(MARKERS.reread)) return answer;
      if (tables.isOpen && !keys.some((key) => this.#isInvalidated(key))) return answer;
    }
  }

  /** What is in memory of a key whose row exists, or why it is refused; neither: its row has gone since. */
  #answer(key: string): { readonly value?: V | undefined; readonly refusal?: CacheError } {
    const found = this.#open(key);
    if (found?.value !== undefined) return found;
    const { problem } = found ?? {};
    if (problem !== undefined) return { refusal: this.#refusal(key, `the row failed its schema: ${problem}`) };
    if (!this.#isInvalidated(key)) return {};
    const why = this.core.unconfirmed(this.rowKey(key)) ?? 'something that it is made of';
    return { refusal: this.#refusal(key, `invalidated, and not confirmed since: ${why}`) };
  }

  #refusal(key: string, message: string): CacheError {
    return new CacheError({ code: 'source-failed', cache: this.name, key, message });
  }

  #toOwn(error: unknown, key: string): unknown {
    if (!CacheError.isInstance(error) || error.cache === this.name) return error;
    return new CacheError({ code: error.code, cache: this.name, key, message: bare(error), cause: error });
  }
}

/** The message without the cache's name, to be told of another. */
function bare(error: CacheError): string {
  return error.message.replace(`cache "${error.cache}": `, '');
}
