/** The options of a cache: checked once, then a frozen object without gaps. */
import {
  checkFlag,
  checkNames,
  NOT_NEGATIVE,
  NOT_NEGATIVE_FINITE,
  POSITIVE,
  POSITIVE_FINITE,
  type Range,
  toMs,
  wrongOption,
} from './checks.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Duration } from './duration.ts';
import type { StandardSchema } from './schema.ts';
import type { Source } from './source.ts';

/** When a snapshot's removals look like a catastrophe, and what confirms them. */
export interface Guard {
  /** More than this share of the rows gone at once is held; a set that becomes empty always is. @default 0.5 */
  readonly maxRemovedShare: number;
  /** The share of fewer rows than this is not judged. @default 20 */
  readonly minRows: number;
  /** So many answers in a row that agree make the removals true; 1: they are true at once. @default 2 */
  readonly acceptAfter: number;
}

interface CommonOptions {
  /** Names the cache in errors, metrics and logs. */
  readonly name: string;
  /** An entry is fresh up to this age. @default '5m' */
  readonly ttl?: Duration;
  /**
   * Time between two refreshes; each comes up to 20 % early, and at least every ttl/2, whatever this says. A source
   * without `fetchAll` reads again what is held. @default '1m'; none for a source without `fetchAll`
   */
  readonly refreshInterval?: Duration;
  /** How long beyond its ttl a value is served while no newer answer can be had. @default '1d' */
  readonly staleIfError?: Duration;
  /** How long a key is remembered as absent; 0: not at all. @default '10s' */
  readonly negativeTtl?: Duration;
  /** Deadline of one source call. @default '10s' */
  readonly timeout?: Duration;
  /** Deadline of a whole snapshot, its reading included. @default '60s' */
  readonly refreshTimeout?: Duration;
  /** While a stale value may be served, `fetch` waits no longer than this for the source. @default '100ms' */
  readonly softTimeout?: Duration;
  /**
   * Holds the removals of a snapshot that looks like a catastrophe until they are confirmed; readers keep the old rows.
   * @default { maxRemovedShare: 0.5, minRows: 20, acceptAfter: 2 }
   */
  readonly guard?: Partial<Guard>;
  /**
   * After a complete load, a key that it did not have is absent without asking the source. Needs `fetchAll`.
   * @default false
   */
  readonly closedWorld?: boolean;
  /**
   * So many times a second the source may be asked for keys that turn out to be absent, in bursts of ten times as many;
   * beyond that, a fetch of a key of which nothing is held is refused with `rate-limited`. @default 100
   */
  readonly maxAbsentPerSecond?: number;
  /** Bound of a cache whose source has no `fetchAll`; the oldest entry goes first. @default 10_000 */
  readonly maxEntries?: number;
  /** What `start()` does when the first load fails: go on trying in the background, or throw. @default 'continue' */
  readonly onStartFailure?: 'continue' | 'throw';
  /** Deep-freeze values, so that no reader can change what others read. @default true */
  readonly freeze?: boolean;
  /** Where time, timers and chance come from; for tests. @default the system's */
  readonly clock?: Clock;
}

/** Options of a `TTLCacheService`. With a `schema`, the source may answer anything: only what passes is stored. */
export type TTLCacheOptions<T> = OptionsWithSchema<T> | OptionsWithoutSchema<T>;

export interface OptionsWithoutSchema<T> extends CommonOptions {
  /** Where the truth lives. */
  readonly source: Source<T>;
  readonly schema?: undefined;
}

export interface OptionsWithSchema<T> extends CommonOptions {
  /** Where the truth lives. */
  readonly source: Source<unknown>;
  /** Checks every row, as zod, valibot and others can: one that fails is quarantined. @default none */
  readonly schema: StandardSchema<T>;
}

/** Durations in milliseconds. */
export interface ResolvedOptions<T> {
  readonly name: string;
  readonly source: Source<unknown>;
  readonly schema: StandardSchema<T> | undefined;
  readonly ttl: number;
  readonly refreshInterval: number | undefined;
  readonly staleIfError: number;
  readonly negativeTtl: number;
  readonly timeout: number;
  readonly refreshTimeout: number;
  readonly softTimeout: number;
  readonly guard: Guard;
  readonly closedWorld: boolean;
  readonly maxAbsentPerSecond: number;
  readonly maxEntries: number;
  readonly onStartFailure: 'continue' | 'throw';
  readonly freeze: boolean;
  readonly clock: Clock;
}

/** As messages say it. */
const WHERE = 'TTLCacheService';

const KNOWN_OPTIONS = [
  'name',
  'source',
  'schema',
  'ttl',
  'refreshInterval',
  'staleIfError',
  'negativeTtl',
  'timeout',
  'refreshTimeout',
  'softTimeout',
  'guard',
  'closedWorld',
  'maxAbsentPerSecond',
  'maxEntries',
  'onStartFailure',
  'freeze',
  'clock',
] as const satisfies readonly (keyof ResolvedOptions<unknown>)[];

const KNOWN_IN_GUARD = ['maxRemovedShare', 'minRows', 'acceptAfter'] as const satisfies readonly (keyof Guard)[];

const SOURCE_METHODS = [
  'fetchAll',
  'fetchOne',
  'fetchMany',
  'fetchChanges',
  'watch',
  'restore',
  'invalidated',
  'stopped',
  'partOf',
  'status',
] as const;

/** Checks the options and fills the gaps; what is wrong throws one TypeError: option, expected, got. */
export function resolveOptions<T>(options: TTLCacheOptions<T>): ResolvedOptions<T> {
  checkNames(WHERE, options, KNOWN_OPTIONS);
  const { name, source, schema } = options;
  if (typeof name !== 'string' || name === '') fail('name', 'a non-empty string', name);
  checkSource(source);
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    fail('schema', 'a Standard Schema (zod, valibot, ...)', schema);
  }
  const hasSnapshot = source.fetchAll !== undefined;
  const ttl = duration(options, 'ttl', '5m', POSITIVE);
  const interval = duration(options, 'refreshInterval', hasSnapshot ? '1m' : undefined, POSITIVE_FINITE);
  const { onStartFailure = 'continue', freeze = true } = options;
  if (onStartFailure !== 'continue' && onStartFailure !== 'throw') {
    fail('onStartFailure', "'continue' or 'throw'", onStartFailure);
  }
  checkFlag(WHERE, 'freeze', freeze);
  const { closedWorld = false, maxAbsentPerSecond = 100 } = options;
  checkFlag(WHERE, 'closedWorld', closedWorld);
  if (closedWorld && !hasSnapshot) fail('closedWorld', 'false for a source without fetchAll', closedWorld);
  if (!(typeof maxAbsentPerSecond === 'number' && maxAbsentPerSecond > 0)) {
    fail('maxAbsentPerSecond', 'a number greater than 0, or Infinity', maxAbsentPerSecond);
  }
  return Object.freeze({
    name,
    source,
    schema,
    ttl: ttl!,
    refreshInterval: interval && Math.min(interval, ttl! / 2),
    staleIfError: duration(options, 'staleIfError', '1d', NOT_NEGATIVE)!,
    negativeTtl: duration(options, 'negativeTtl', '10s', NOT_NEGATIVE_FINITE)!,
    timeout: duration(options, 'timeout', '10s', POSITIVE_FINITE)!,
    refreshTimeout: duration(options, 'refreshTimeout', '60s', POSITIVE_FINITE)!,
    softTimeout: duration(options, 'softTimeout', '100ms', NOT_NEGATIVE_FINITE)!,
    guard: guardOf(options.guard),
    closedWorld,
    maxAbsentPerSecond,
    maxEntries: maxEntries(options, hasSnapshot),
    onStartFailure,
    freeze,
    clock: clockOf(options.clock),
  });
}

type DurationOption =
  | 'ttl'
  | 'refreshInterval'
  | 'staleIfError'
  | 'negativeTtl'
  | 'timeout'
  | 'refreshTimeout'
  | 'softTimeout';

function duration(
  options: CommonOptions,
  name: DurationOption,
  fallback: Duration | undefined,
  range: Range,
): number | undefined {
  const given = options[name] === undefined ? fallback : options[name];
  if (given === undefined) return undefined;
  return toMs(WHERE, name, given, range);
}

function maxEntries({ maxEntries: given }: CommonOptions, hasSnapshot: boolean): number {
  if (given === undefined) return hasSnapshot ? Number.POSITIVE_INFINITY : 10_000;
  if (hasSnapshot) fail('maxEntries', 'no bound for a source with fetchAll: the whole set is held', given);
  if (given !== Number.POSITIVE_INFINITY && !(Number.isInteger(given) && given > 0)) {
    fail('maxEntries', 'a whole number greater than 0, or Infinity', given);
  }
  return given;
}

function guardOf(given: Partial<Guard> = {}): Guard {
  checkNames(`${WHERE}: option "guard"`, given, KNOWN_IN_GUARD);
  const { maxRemovedShare = 0.5, minRows = 20, acceptAfter = 2 } = given;
  if (!(typeof maxRemovedShare === 'number' && maxRemovedShare > 0 && maxRemovedShare <= 1)) {
    fail('guard.maxRemovedShare', 'a number greater than 0, up to 1', maxRemovedShare);
  }
  if (!(Number.isInteger(minRows) && minRows > 0)) {
    fail('guard.minRows', 'a whole number greater than 0', minRows);
  }
  if (!(Number.isInteger(acceptAfter) && acceptAfter > 0)) {
    fail('guard.acceptAfter', 'a whole number greater than 0', acceptAfter);
  }
  return Object.freeze({ maxRemovedShare, minRows, acceptAfter });
}

function checkSource(source: Source<unknown>): void {
  if (typeof source !== 'object' || source === null)
    fail('source', 'an object with fetchAll, fetchOne or fetchMany', source);
  for (const method of SOURCE_METHODS) {
    const given: unknown = source[method];
    if (given !== undefined && typeof given !== 'function') fail(`source.${method}`, 'a function', given);
  }
  if (source.fetchAll === undefined && source.fetchOne === undefined && source.fetchMany === undefined) {
    throw new TypeError(`${WHERE}: option "source": expected fetchAll, fetchOne or fetchMany, got none of them`);
  }
  if (source.fetchChanges !== undefined && source.fetchAll === undefined) {
    throw new TypeError(`${WHERE}: option "source": expected fetchAll beside fetchChanges, got none`);
  }
}

function clockOf(clock: Clock | undefined): Clock {
  if (clock === undefined) return systemClock;
  for (const method of ['now', 'setTimer', 'random'] as const) {
    if (typeof clock?.[method] !== 'function') fail('clock', `an object with ${method}()`, clock);
  }
  return clock;
}

function fail(option: string, expected: string, got: unknown): never {
  throw wrongOption(WHERE, option, expected, got);
}
