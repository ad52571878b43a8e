/** The calls that were made to the source, and what became of each. */
import type { Method } from './settings.ts';
import type { Row } from './table.ts';

export interface Value {
  readonly key: string;
  readonly version: number;
  readonly inner: { readonly list: readonly number[] };
  readonly bad?: true;
  /** Of the request that brought it; only where every answer is numbered. */
  readonly ticket?: number;
}

/**
 * - `answer`: nothing goes wrong; `aged`: the same, handed on with an age
 * - `fail`: an outage; `refuse`: an error of a source that is up; `hang`: no answer ever
 * - `half`: a bulk answer breaks off after one row; `empty`: it lacks every row
 * - `replica`: a snapshot comes from a replica that lags: it tells of an earlier moment, and does not say so
 * - `duplicate`, `odd key`, `no value`, `no answer`, `too old`: an answer that is none
 * - `resync`: the source cannot say what has changed
 */
export const FAULTS = [
  'answer',
  'fail',
  'hang',
  'refuse',
  'half',
  'empty',
  'replica',
  'aged',
  'resync',
  'duplicate',
  'odd key',
  'no value',
  'no answer',
  'too old',
] as const;

export type Fault = (typeof FAULTS)[number];

export interface Call {
  /** The order in which requests were sent. */
  readonly ticket: number;
  readonly method: Method;
  /** `undefined`: all. */
  readonly keys: readonly string[] | undefined;
  readonly reason: string;
  /** When it was sent. */
  readonly at: number;
  readonly fault: Fault;
  readonly signal: AbortSignal;
  /** The age that the answer says it has, beside the time since it was sent. */
  readonly ageMs: number;
  /** Of the commits up to this one; `fetchChanges` only. */
  readonly since: number | undefined;
  /** The commit whose truth the answer tells; `undefined`: not read yet. */
  readCommit: number | undefined;
  /** The rows it tells of: for a delta, the upserts. */
  rows: ReadonlyMap<string, Row>;
  /** A delta's. */
  deletes: ReadonlySet<string>;
  /** `landed`: the whole of a good answer was handed over in time. `late`: when nobody wanted it any more. */
  state: 'under way' | 'landed' | 'failed' | 'late';
  landedAt: number;
  /** A step of its own: the order in which things happened. */
  landedStep: number;
  /** What came of the round that made it, as its report said. `open`: not said yet. Not for the calls of reads. */
  round: 'open' | 'published' | 'lost';
}

export function isBulk({ method }: Call): boolean {
  return method === 'fetchAll' || method === 'fetchChanges';
}

/** Does core still wait for it? */
export function isUnderWay({ state, signal }: Call): boolean {
  return state === 'under way' && !signal.aborted;
}

/** Was it made for a read, not by a round? */
export function isForRead({ reason, method }: Call): boolean {
  return (reason === 'fetch' || reason === 'warm') && method !== 'fetchAll' && method !== 'fetchChanges';
}

/** Does it tell of this key, if only that there is none? */
export function speaksOf(call: Call, key: string): boolean {
  if (call.method === 'fetchChanges') return call.rows.has(key) || call.deletes.has(key);
  return call.keys === undefined || call.keys.includes(key);
}

/** May readers have seen it? What a round was told is shown by the round, or it is lost. */
export function mayBeSeen(call: Call): boolean {
  return call.state === 'landed' && (isForRead(call) || call.round !== 'lost');
}

/** Has it told this version of a row to somebody, although the row had been overwritten by then? */
export function toldTooLate(call: Call, key: string, version: number): boolean {
  return call.fault === 'replica' && call.rows.get(key)?.version === version;
}

/** The age of what it tells began then. */
export function confirmedAt({ at, ageMs }: Call): number {
  return at - ageMs;
}
