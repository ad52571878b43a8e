/** A source that does what a test tells it to, misbehaviour included. */
import type { Clock } from '../src/clock.ts';
import type { FetchContext, Source } from '../src/source.ts';

export type SourceMethod = 'fetchAll' | 'fetchOne' | 'fetchMany';

/**
 * - `answer`: the truth as of the call; `{ slowMs }`: the same, later
 * - `fail`: rejects as an outage does; `refuse`: rejects, but the source is reachable
 * - `hang`: never answers, whatever the signal says
 * - `hold`: answers when the test calls `answer()` or `fail()` on the call
 * - `empty`: says that there is nothing
 * - `half`: a snapshot yields half of its rows, then fails; `pause`: it yields half, and the rest when the test calls
 *   `answer()`. For single keys they are `answer` and `hold`
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
  | { readonly slowMs: number };

/** One call that was made. */
export interface ScriptedCall<T> {
  readonly method: SourceMethod;
  readonly keys: readonly string[];
  readonly context: FetchContext;
  /** What is to be answered: the truth as of the call. */
  readonly rows: ReadonlyMap<string, T>;
  /** `hold` and `pause` only: answers now, with `rows` or with something else. */
  answer(rows?: ReadonlyMap<string, T>): void;
  /** `hold` and `pause` only: fails now. */
  fail(error?: Error): void;
}

export class ScriptedSource<T> implements Source<T> {
  /** The truth. Change it as you like. */
  readonly rows: Map<string, T>;
  /** Every call, in order. */
  readonly calls: ScriptedCall<T>[] = [];
  readonly fetchAll?: NonNullable<Source<T>['fetchAll']>;
  readonly fetchOne?: NonNullable<Source<T>['fetchOne']>;
  readonly fetchMany?: NonNullable<Source<T>['fetchMany']>;
  readonly #clock: Clock;
  #behaviour: (call: number, method: SourceMethod) => Behaviour = () => 'answer';

  constructor(options: {
    readonly clock: Clock;
    readonly rows?: Iterable<readonly [string, T]>;
    /** @default all */
    readonly methods?: readonly SourceMethod[];
  }) {
    const { clock, rows = [], methods = ['fetchAll', 'fetchOne', 'fetchMany'] } = options;
    this.#clock = clock;
    this.rows = new Map(rows);
    if (methods.includes('fetchAll')) this.fetchAll = (context) => this.#all(context);
    if (methods.includes('fetchOne')) this.fetchOne = (key, context) => this.#one(key, context);
    if (methods.includes('fetchMany')) this.fetchMany = (keys, context) => this.#many(keys, context);
  }

  /** From now on: one behaviour, or one for each call (flapping, say). */
  behave(behaviour: Behaviour | ((call: number, method: SourceMethod) => Behaviour)): void {
    this.#behaviour = typeof behaviour === 'function' ? behaviour : () => behaviour;
  }

  /** How often a method was called. */
  count(method?: SourceMethod): number {
    return method === undefined ? this.calls.length : this.calls.filter((call) => call.method === method).length;
  }

  async #one(key: string, context: FetchContext): Promise<T | undefined> {
    return (await this.#call('fetchOne', [key], context).answered).get(key);
  }

  async #many(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, T>> {
    return this.#call('fetchMany', keys, context).answered;
  }

  async #all(context: FetchContext): Promise<Iterable<readonly [string, T]> | AsyncIterable<readonly [string, T]>> {
    const { behaviour, rows, answered } = this.#call('fetchAll', [...this.rows.keys()], context);
    if (behaviour !== 'pause' && behaviour !== 'half') return answered;
    // Read later, or never if nobody reads that far: a failure is not unhandled until then.
    answered.catch(() => undefined);
    return inTwoParts(rows, answered);
  }

  #call(
    method: SourceMethod,
    keys: readonly string[],
    context: FetchContext,
  ): { behaviour: Behaviour; rows: ReadonlyMap<string, T>; answered: Promise<ReadonlyMap<string, T>> } {
    context.signal.throwIfAborted();
    const behaviour = this.#behaviour(this.calls.length + 1, method);
    const rows = new Map<string, T>();
    for (const key of keys) if (this.rows.has(key)) rows.set(key, this.rows.get(key)!);
    const { promise: answered, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, T>>();
    this.calls.push({
      method,
      keys,
      context,
      rows,
      answer: (answer = rows) => resolve(new Map(answer)),
      fail: (error = outage()) => reject(error),
    });
    if (typeof behaviour === 'object') this.#clock.setTimer(() => resolve(rows), behaviour.slowMs);
    else if (behaviour === 'fail') reject(outage());
    else if (behaviour === 'refuse') reject(Object.assign(new Error('the request was refused'), { reachable: true }));
    else if (behaviour === 'empty') resolve(new Map());
    else if (behaviour === 'half' && method === 'fetchAll') reject(new Error('connection reset'));
    else if (behaviour === 'answer' || behaviour === 'half') resolve(rows);
    return { behaviour, rows, answered };
  }
}

function outage(): Error {
  return new Error('connection refused');
}

/** Half of the rows, then what is answered of the others. */
async function* inTwoParts<T>(
  rows: ReadonlyMap<string, T>,
  answered: Promise<ReadonlyMap<string, T>>,
): AsyncGenerator<readonly [string, T]> {
  const first = [...rows].slice(0, Math.ceil(rows.size / 2));
  yield* first;
  const yielded = new Set(first.map(([key]) => key));
  for (const entry of await answered) if (!yielded.has(entry[0])) yield entry;
}
