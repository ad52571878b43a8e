/** The face of a cache: what `TTLCacheService` offers, and what else may stand in its place (a view over a mirror). */
import type { Frozen, SnapshotOptions } from './cache-snapshot.ts';
import type { Derived } from './derive.ts';
import type { CacheEventName, CacheListener } from './events.ts';
import type { FetchOptions, WarmReport } from './fetching.ts';
import type { CacheStats, CacheStatus, Inspection, RefreshReport } from './status.ts';

export interface RefreshOptions {
  /** Read everything again, even where changes could be followed. @default false */
  readonly full?: boolean;
  /** Read only these keys again. */
  readonly keys?: readonly string[];
  /** Ask the source, report what would change (with `dryRun: true`), and change nothing. @default false */
  readonly dryRun?: boolean;
}

/** A cache of any kind: `TTLCacheService` says of each method what it promises. */
export interface Cache<T> extends AsyncDisposable {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  get(key: string): T | undefined;
  getMany(keys: readonly string[]): (T | undefined)[];
  fetch(key: string, options?: FetchOptions): Promise<T | undefined>;
  fetchMany(keys: Iterable<string>, options?: FetchOptions): Promise<ReadonlyMap<string, T>>;
  warm(keys: Iterable<string>): Promise<WarmReport>;
  has(key: string): boolean;
  readonly size: number;
  keys(): IterableIterator<string>;
  entries(): IterableIterator<[string, T]>;
  inspect(key: string): Inspection<T>;
  invalidate(keyOrKeys: string | readonly string[]): Promise<void>;
  invalidateAll(): Promise<void>;
  refresh(options?: RefreshOptions): Promise<RefreshReport>;
  accept(): boolean;
  reject(): boolean;
  snapshot(options?: SnapshotOptions): Frozen<T>;
  derive<D>(compute: (value: T) => D): Derived<D>;
  on<Name extends CacheEventName>(name: Name, listener: CacheListener<Name>): () => void;
  stats(): CacheStats;
  reports(): readonly RefreshReport[];
  status(): CacheStatus;
}
