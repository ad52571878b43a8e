/** Asks the source for single keys, and stores the answers that may be stored. Used by loads and by refreshes. */

import { typeName } from './describe.ts';
import type { CacheError } from './errors.ts';
import type { CacheEvents, Events } from './events.ts';
import type { Fence } from './fence.ts';
import type { CheckedRow, RowCheck } from './schema.ts';
import { Slice } from './slice.ts';
import { Aged, type FetchContext, type Source } from './source.ts';
import type { Sent, SourceCalls } from './source-calls.ts';

/** The part of the store that a single answer needs. */
export interface SingleStore<T> {
  staleValue(key: string): T | undefined;
  prepare(value: T, held: T | undefined): T;
  put(key: string, prepared: T, confirmedAt: number, now: number): T;
  putAbsent(key: string, confirmedAt: number): void;
  putQuarantined(key: string, problem: string, now: number): void;
  doubt(key: string): void;
  settle(): void;
}

/** What the source said about one key. */
export interface KeyAnswer<T> {
  readonly key: string;
  readonly sent: Sent;
  readonly ageMs: number;
  /** `undefined`: the source has no such key. */
  readonly row: CheckedRow<T> | undefined;
}

/** What came of an answer for its key. */
export type KeyOutcome<T> =
  | { readonly value: T | undefined; readonly error?: undefined }
  | { readonly error: CacheError };

export interface KeyCall {
  readonly reason: string;
  readonly awaited: boolean;
  readonly insist?: boolean;
}

interface KeyReaderOptions<T> {
  readonly source: Source<unknown>;
  readonly calls: SourceCalls;
  readonly fence: Fence;
  readonly store: SingleStore<T>;
  readonly rows: RowCheck<T>;
  readonly events: Events;
  readonly ttl: number;
  readonly timeout: number;
  readonly now: () => number;
}

export class KeyReader<T> {
  readonly #options: KeyReaderOptions<T>;

  constructor(options: KeyReaderOptions<T>) {
    this.#options = options;
  }

  /** Can the source be asked for single keys at all? */
  get canRead(): boolean {
    return this.#options.source.fetchOne !== undefined || this.canReadMany;
  }

  /** Can it be asked for several in one call? */
  get canReadMany(): boolean {
    return this.#options.source.fetchMany !== undefined;
  }

  /**
   * One source call for `keys` (one key, or several where the source has `fetchMany`). `apply` gets the answers at
   * once, while their ticket still counts.
   */
  read<A>(keys: readonly string[], call: KeyCall, apply: (answers: KeyAnswer<T>[]) => A): Promise<A> {
    const { calls, timeout } = this.#options;
    return calls.run<KeyAnswer<T>[], A>({
      ...call,
      timeout,
      ...(keys.length === 1 ? { key: keys[0]! } : {}),
      request: (context, sent) => this.#request(keys, context, sent),
      apply,
    });
  }

  /** Stores the answers that may be stored, in one step: listeners hear of it when it is done, `counted` and all. */
  store(
    answers: readonly KeyAnswer<T>[],
    counted: (outcomes: readonly KeyOutcome<T>[]) => void = () => undefined,
  ): KeyOutcome<T>[] {
    const { store, events } = this.#options;
    // Once for all of them: while no timer is set, the clock asks the system.
    const now = this.#options.now();
    const bad: CacheEvents['quarantine'][] = [];
    const outcomes = answers.map((answer) => this.#store(answer, now, bad));
    counted(outcomes);
    store.settle();
    for (const row of bad) events.emit('quarantine', row);
    return outcomes;
  }

  #store({ key, sent, ageMs, row }: KeyAnswer<T>, now: number, bad: CacheEvents['quarantine'][]): KeyOutcome<T> {
    const { calls, fence, store, ttl } = this.#options;
    const confirmedAt = sent.at - ageMs;
    const admitted = fence.admits(key, sent.ticket);
    const stored = (): void => {
      fence.stored(key, sent.ticket);
      if (fence.overlapsBulk(sent.ticket)) store.doubt(key);
    };
    if (row === undefined) {
      if (admitted) {
        store.putAbsent(key, confirmedAt);
        stored();
      }
      return { value: undefined };
    }
    if (row.problem !== undefined) {
      if (admitted) {
        store.putQuarantined(key, row.problem, now);
        stored();
        bad.push({ key, message: row.problem });
      }
      return { error: calls.error('source-failed', `the row failed its schema: ${row.problem}`, { key }) };
    }
    // An answer slower than the ttl is stale on arrival: its caller gets it, the store does not. If it is equal to what
    // is held, the caller gets that: identity is version, on every path.
    if (!admitted || now - confirmedAt > ttl) return { value: store.prepare(row.value, store.staleValue(key)) };
    const value = store.put(key, row.value, confirmedAt, now);
    stored();
    return { value };
  }

  async #request(keys: readonly string[], context: FetchContext, sent: Sent): Promise<KeyAnswer<T>[]> {
    const { source, calls } = this.#options;
    if (keys.length === 1 && source.fetchOne !== undefined) {
      return [await this.#answer(keys[0]!, await source.fetchOne(keys[0]!, context), sent)];
    }
    const found = await source.fetchMany!(keys, context);
    if (typeof found?.get !== 'function') {
      const key = keys.length === 1 ? { key: keys[0]! } : {};
      throw calls.error('invalid-snapshot', `expected fetchMany to answer a Map, got ${typeName(found)}`, key);
    }
    const slice = new Slice();
    const answers: (KeyAnswer<T> | Promise<KeyAnswer<T>>)[] = [];
    for (const key of keys) {
      answers.push(this.#answer(key, found.get(key), sent));
      if (slice.isOver()) await slice.next();
    }
    return Promise.all(answers);
  }

  #answer(key: string, answer: unknown, sent: Sent): KeyAnswer<T> | Promise<KeyAnswer<T>> {
    const { rows, store } = this.#options;
    const ageMs = answer instanceof Aged ? answer.ageMs : 0;
    const value: unknown = answer instanceof Aged ? answer.value : answer;
    if (value === undefined) return { key, sent, ageMs, row: undefined };
    const toAnswer = (row: CheckedRow<T>): KeyAnswer<T> => {
      if (row.problem !== undefined) return { key, sent, ageMs, row };
      // Compared and frozen here, a slice at a time: what is left for the moment of storing is cheap.
      return { key, sent, ageMs, row: { value: store.prepare(row.value, store.staleValue(key)) } };
    };
    const checked = rows.check(value);
    return checked instanceof Promise ? checked.then(toAnswer) : toAnswer(checked);
  }
}
