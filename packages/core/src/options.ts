/** The options of a cache: checked once, then a frozen object without gaps. */
import { type Clock, systemClock } from './clock.ts';
import { type Duration, parseDuration } from './duration.ts';
import type { StandardSchema } from './schema.ts';
import type { Source } from './source.ts';

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
  readonly maxEntries: number;
  readonly onStartFailure: 'continue' | 'throw';
  readonly freeze: boolean;
  readonly clock: Clock;
}

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
  'maxEntries',
  'onStartFailure',
  'freeze',
  'clock',
] as const satisfies readonly (keyof ResolvedOptions<unknown>)[];

const SOURCE_METHODS = ['fetchAll', 'fetchOne', 'fetchMany', 'status'] as const;

/** Checks the options and fills the gaps; what is wrong throws one TypeError: option, expected, got. */
export function resolveOptions<T>(options: TTLCacheOptions<T>): ResolvedOptions<T> {
  if (typeof options !== 'object' || options === null) fail('options', 'an object', options);
  for (const name of Object.keys(options)) {
    if (!(KNOWN_OPTIONS as readonly string[]).includes(name)) {
      throw new TypeError(`TTLCacheService: unknown option "${name}"; expected one of ${KNOWN_OPTIONS.join(', ')}`);
    }
  }
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
  if (typeof freeze !== 'boolean') fail('freeze', 'a boolean', freeze);
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
    maxEntries: maxEntries(options, hasSnapshot),
    onStartFailure,
    freeze,
    clock: clockOf(options.clock),
  });
}

interface Range {
  readonly text: string;
  readonly holds: (ms: number) => boolean;
}

const POSITIVE: Range = { text: 'greater than 0', holds: (ms) => ms > 0 };
const POSITIVE_FINITE: Range = { text: 'greater than 0 and finite', holds: (ms) => ms > 0 && Number.isFinite(ms) };
const NOT_NEGATIVE: Range = { text: 'of 0 or more', holds: (ms) => ms >= 0 };
const NOT_NEGATIVE_FINITE: Range = { text: 'of 0 or more and finite', holds: (ms) => ms >= 0 && Number.isFinite(ms) };

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
  const ms = parseDuration(given);
  if (ms === undefined || !range.holds(ms)) {
    fail(name, `a duration ${range.text}: milliseconds, or like '250ms', '10s', '5m', '2h', '1d'`, given);
  }
  return ms;
}

function maxEntries({ maxEntries: given }: CommonOptions, hasSnapshot: boolean): number {
  if (given === undefined) return hasSnapshot ? Number.POSITIVE_INFINITY : 10_000;
  if (hasSnapshot) fail('maxEntries', 'no bound for a source with fetchAll: the whole set is held', given);
  if (given !== Number.POSITIVE_INFINITY && !(Number.isInteger(given) && given > 0)) {
    fail('maxEntries', 'a whole number greater than 0, or Infinity', given);
  }
  return given;
}

function checkSource(source: Source<unknown>): void {
  if (typeof source !== 'object' || source === null)
    fail('source', 'an object with fetchAll, fetchOne or fetchMany', source);
  for (const method of SOURCE_METHODS) {
    const given: unknown = source[method];
    if (given !== undefined && typeof given !== 'function') fail(`source.${method}`, 'a function', given);
  }
  if (source.fetchAll === undefined && source.fetchOne === undefined && source.fetchMany === undefined) {
    throw new TypeError('TTLCacheService: option "source": expected fetchAll, fetchOne or fetchMany, got none of them');
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
  throw new TypeError(`TTLCacheService: option "${option}": expected ${expected}, got ${describe(got)}`);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value);
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
