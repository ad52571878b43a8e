export type { BreakerState } from './breaker.ts';
export type { Cache, RefreshOptions } from './cache.ts';
export type { CacheSnapshot, Frozen, SnapshotOptions } from './cache-snapshot.ts';
export { assertKey, assertKeys } from './checks.ts';
export { type Clock, systemClock } from './clock.ts';
export { type Derived, deriveFrom, memoByIdentity } from './derive.ts';
export type { OnDiskOptions } from './disk-source.ts';
export { type Duration, parseDuration } from './duration.ts';
export { CACHE_ERROR_CODES, CacheError, type CacheErrorCode, type CacheErrorDetails } from './errors.ts';
export {
  type CacheChange,
  type CacheEventName,
  type CacheEvents,
  type CacheListener,
  Events,
  type HeldRemovals,
} from './events.ts';
export type { FetchOptions, WarmReport } from './fetching.ts';
export { onDisk } from './on-disk.ts';
export type { Guard, OptionsWithoutSchema, OptionsWithSchema, TTLCacheOptions } from './options.ts';
export { type AnyCache, CacheRegistry } from './registry.ts';
export { type CheckedRow, RowCheck, type StandardSchema } from './schema.ts';
export { TTLCacheService } from './service.ts';
export {
  Aged,
  aged,
  type Cursor,
  type Delta,
  type Entries,
  type FetchContext,
  type Saved,
  type SetPart,
  type Snapshot,
  type Source,
  type WatchContext,
} from './source.ts';
export type {
  CacheState,
  CacheStats,
  CacheStatus,
  HeldStatus,
  Inspection,
  KeyState,
  QuarantinedRow,
  RefreshReport,
} from './status.ts';
