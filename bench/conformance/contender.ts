/** What the kit needs to know of a cache, and the little that every one of them can do. One adapter makes one of these. */
import type { Source } from './truth.ts';

/** Put in front of a source, configured as its own documentation advises. */
export interface Contender {
  /** Heads its column. */
  readonly name: string;
  readonly package: string;
  /** How it is configured, in a line, and where its documentation says so. */
  readonly configuration: string;
  /** What its documentation has a loader answer for a key that does not exist. */
  readonly absent: null | undefined;
  /** In front of a source that is asked key by key. */
  open(source: Source, setting: Setting): Cache;
  /** The same with the fewest options it can do with: the source, and a ttl. */
  openPlain(source: Source, ttlMs: number): Cache;
  /** Holding the source's whole set. */
  openWholeSet?(source: Source, setting: WholeSetSetting): WholeSetCache;
  /** Holding no more than so many bytes of values that are strings. */
  openWeighed?(source: Source, maxBytes: number): Cache;
  /** Each entry with the ttl that its value says. Whole seconds. */
  openWithTtl?(source: Source, ttlOf: (value: unknown) => number): Cache;
  /** Forgetting by tag. */
  openTagged?(source: Source): TaggedCache;
  /** One whose entries outlive it: through a second tier, or a dump. */
  openDurable?(source: Source): DurableCache;
}

export interface Setting {
  /** How long a value is fresh. Whole seconds. */
  readonly ttlMs: number;
  /** The most entries; `undefined`: whatever it does without being told. */
  readonly max?: number;
}

export interface WholeSetSetting {
  /** Time between two refreshes of the whole set. Whole seconds. */
  readonly refreshMs: number;
  /** Is this row one that may be served? */
  readonly isValid?: (value: unknown) => boolean;
  /** Nothing exists but what was loaded: no key is ever asked for singly. */
  readonly closedWorld?: boolean;
}

/** Keys are whole strings, values are whatever the source has. What is not offered is left out. */
export interface Cache {
  /** The read that asks the source for what is not in memory. */
  read(key: string): Promise<unknown>;
  forget(key: string): unknown;
  forgetAll(): unknown;
  close(): unknown;
  /** The same for several keys: what exists. */
  readMany?(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  /** A read of which the caller says how long to wait. */
  readWithin?(key: string, ms: number): Promise<unknown>;
  /** What is in memory, at once. */
  peek?(key: string): unknown;
  /** Puts a value in by hand. */
  set?(key: string, value: unknown): unknown;
}

export interface WholeSetCache extends Cache {
  peek(key: string): unknown;
  /** Loads the set and keeps it true from now on. */
  start(): Promise<unknown>;
  /** Checks the whole set now. */
  refresh(): Promise<unknown>;
}

export interface TaggedCache {
  read(key: string, tag: string): Promise<unknown>;
  forgetTag(tag: string): unknown;
  close(): unknown;
}

export interface DurableCache {
  readonly first: Cache;
  /** The cache of the next process. */
  restart(): Promise<Cache>;
  close(): unknown;
}
