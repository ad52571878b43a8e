/** What a scripted source can be told to do, and what it tells of the calls that were made. */
import type { FetchContext } from '../src/source.ts';

/** The methods that a scripted source can have. */
export type SourceMethod = 'fetchAll' | 'fetchOne' | 'fetchMany' | 'fetchChanges' | 'watch';

/** What can be called: the methods, and the function that ends a watch. */
export type ScriptedMethod = SourceMethod | 'unwatch';

/**
 * - `answer`: the truth as of the call; `{ slowMs }`: the same, later
 * - `fail`: rejects as an outage does; `refuse`: rejects, but the source is reachable
 * - `hang`: never answers, whatever the signal says
 * - `hold`: answers when the test calls `answer()`, `resync()` or `fail()` on the call
 * - `empty`: says that there is nothing; a delta says that nothing has changed, and its cursor stays where it was
 * - `half`: a snapshot or a delta yields half of its rows, then fails; a watch stands, then is lost. Else `answer`
 * - `pause`: a snapshot or a delta yields half of its rows, and the rest when the test calls `answer()`. Else `hold`
 * - `resync`: a delta is refused with `'resync'`. Else `answer`
 * - a `Lie`: something else, whatever the truth: rows of long ago, say, as a replica has them that lags
 *
 * A watch that answers stands from then on.
 */
export type Behaviour =
  | 'answer'
  | 'fail'
  | 'refuse'
  | 'hang'
  | 'hold'
  | 'empty'
  | 'half'
  | 'pause'
  | 'resync'
  | { readonly slowMs: number }
  | Lie;

/** An answer that need not be one: rows that are wrong, that come twice, whose key is no string, ... */
export interface Lie {
  readonly lie: Iterable<readonly [unknown, unknown]>;
  /** Deltas only: keys that are said to be gone. @default none */
  readonly deletes?: Iterable<unknown>;
  /** The position that goes with it, where there is one. @default the true one */
  readonly cursor?: unknown;
}

/** One call that was made. */
export interface ScriptedCall<T> {
  readonly method: ScriptedMethod;
  /** The keys that were asked for; all that are answered, where none were named. */
  readonly keys: readonly string[];
  readonly context: FetchContext;
  /** What is to be answered: the truth as of the call; of a delta, the rows that are new or changed. */
  readonly rows: ReadonlyMap<string, T>;
  /** Deltas only: what is gone. */
  readonly deletes: readonly string[];
  /** Deltas only: the position from which the changes were asked for. */
  readonly since: unknown;
  /** The position that goes with the answer: how many changes there had been. */
  readonly cursor: number;
  /** `hold` and `pause` only: answers now, with the truth as of the call or with something else. */
  answer(rows?: Iterable<readonly [string, T]>, deletes?: Iterable<string>): void;
  /** `hold` only, and deltas only: answers `'resync'` now. */
  resync(): void;
  /** `hold` and `pause` only: fails now. */
  fail(error?: Error): void;
}

/** Does it answer in two parts? */
export function isPartial(behaviour: Behaviour): boolean {
  return behaviour === 'half' || behaviour === 'pause';
}

export function isSlow(behaviour: Behaviour): behaviour is { readonly slowMs: number } {
  return typeof behaviour === 'object' && 'slowMs' in behaviour;
}

export function isLie(behaviour: Behaviour): behaviour is Lie {
  return typeof behaviour === 'object' && 'lie' in behaviour;
}
