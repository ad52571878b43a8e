/** The source behind a contender: rows that a probe changes, and answers that come, fail, hang or wait to be let go. */
import { time } from './fake-time.ts';

/** What a contender is put in front of. */
export interface Source {
  /** One row, or what stands for "there is none". */
  one(key: string): Promise<unknown>;
  /** Those that exist. */
  many(keys: readonly string[]): Promise<Map<string, unknown>>;
  /** Every row, as of the call. */
  all(): Promise<AsyncIterable<[string, unknown]>>;
}

/** A row as most probes have it. Its state says which version it is: `old`, `new`. */
export interface Row {
  readonly id: string;
  state: string;
}

/**
 * - `answer`, `fail`: at once; `{ slowMs }`: answers later
 * - `hang`: never
 * - `hold`: answers, with the truth as of the call, when the probe says `release()`
 * - `half`: a whole set fails after half of its rows; `hold-half`: it pauses there until `release()`
 */
export type Mode = 'answer' | 'fail' | 'hang' | 'hold' | 'half' | 'hold-half' | { readonly slowMs: number };

export interface Call {
  readonly kind: 'one' | 'many' | 'all';
  readonly at: number;
}

export class Truth implements Source {
  mode: Mode = 'answer';
  /** What stands for "there is none". */
  absent: null | undefined = undefined;
  readonly calls: Call[] = [];
  readonly #rows = new Map<string, () => unknown>();
  #held: PromiseWithResolvers<void>[] = [];

  /** The row is in this state from now on. Each answer has an object of its own, as from a database. */
  put(key: string, state: string): void {
    this.#rows.set(key, () => ({ id: key, state }) satisfies Row);
  }

  putValue(key: string, make: () => unknown): void {
    this.#rows.set(key, make);
  }

  remove(...keys: readonly string[]): void {
    for (const key of keys) this.#rows.delete(key);
  }

  /** Lets all answers go that are held, in the order they were asked for; or fails them. */
  release(how: 'answer' | 'fail' = 'answer'): void {
    const held = this.#held;
    this.#held = [];
    for (const { resolve, reject } of held) how === 'answer' ? resolve() : reject(outage());
  }

  count(kind?: Call['kind']): number {
    return kind === undefined ? this.calls.length : this.calls.filter((call) => call.kind === kind).length;
  }

  // Arrow functions: contenders are handed the methods alone.
  readonly one = async (key: string): Promise<unknown> => {
    const make = this.#rows.get(key);
    await this.#answer('one');
    return make === undefined ? this.absent : make();
  };

  readonly many = async (keys: readonly string[]): Promise<Map<string, unknown>> => {
    const rows = new Map(keys.flatMap((key) => (this.#rows.has(key) ? [[key, this.#rows.get(key)!] as const] : [])));
    await this.#answer('many');
    return made(rows);
  };

  readonly all = async (): Promise<AsyncIterable<[string, unknown]>> => {
    const rows = new Map(this.#rows);
    const { mode } = this;
    const streams = mode === 'half' || mode === 'hold-half';
    await this.#answer('all', streams ? 'answer' : mode);
    return streams ? this.#inHalves(rows, mode) : inOne(rows);
  };

  async #answer(kind: Call['kind'], mode: Mode = this.mode): Promise<void> {
    this.calls.push({ kind, at: time.now() });
    if (mode === 'fail' || mode === 'half') throw outage();
    if (mode === 'hang') await new Promise(() => undefined);
    if (mode === 'hold' || mode === 'hold-half') await this.#hold();
    if (typeof mode === 'object') await new Promise<void>((resolve) => setTimeout(resolve, mode.slowMs));
  }

  #hold(): Promise<void> {
    const gate = Promise.withResolvers<void>();
    this.#held.push(gate);
    return gate.promise;
  }

  async *#inHalves(
    rows: ReadonlyMap<string, () => unknown>,
    mode: 'half' | 'hold-half',
  ): AsyncGenerator<[string, unknown]> {
    const entries = [...made(rows)];
    const middle = Math.ceil(entries.length / 2);
    yield* entries.slice(0, middle);
    if (mode === 'half') throw new Error('the connection was lost half-way');
    await this.#hold();
    yield* entries.slice(middle);
  }
}

function outage(): Error {
  return new Error('the source is down');
}

async function* inOne(rows: Map<string, () => unknown>): AsyncGenerator<[string, unknown]> {
  yield* made(rows);
}

function made(rows: ReadonlyMap<string, () => unknown>): Map<string, unknown> {
  return new Map([...rows].map(([key, make]) => [key, make()]));
}
