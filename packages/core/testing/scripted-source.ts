/** A source that does what a test tells it to, misbehaviour included. */
import type { Clock } from '../src/clock.ts';
import type { Delta, Entries, FetchContext, Snapshot, Source, WatchContext } from '../src/source.ts';
import {
  type Behaviour,
  isLie,
  isPartial,
  isSlow,
  type ScriptedCall,
  type ScriptedMethod,
  type SourceMethod,
} from './behaviour.ts';
import { type Answer, type Asked, inTwoParts, rowsOf, told, whole } from './scripted-answer.ts';
import { ScriptedRows } from './scripted-rows.ts';

/** Which part of the truth a call is about. */
interface Question {
  /** `undefined`: all. */
  readonly keys?: readonly string[];
  readonly since?: unknown;
}

interface Watch {
  readonly nudge: () => void;
  readonly context: WatchContext;
}

export class ScriptedSource<T> implements Source<T> {
  /** The truth. Change it as you like; `fetchChanges` knows what you changed. */
  readonly rows: Map<string, T>;
  /** Every call, in order. */
  readonly calls: ScriptedCall<T>[] = [];
  readonly fetchAll?: NonNullable<Source<T>['fetchAll']>;
  readonly fetchOne?: NonNullable<Source<T>['fetchOne']>;
  readonly fetchMany?: NonNullable<Source<T>['fetchMany']>;
  readonly fetchChanges?: NonNullable<Source<T>['fetchChanges']>;
  readonly watch?: NonNullable<Source<T>['watch']>;
  readonly #rows: ScriptedRows<T>;
  readonly #clock: Clock;
  readonly #watches = new Set<Watch>();
  #behaviour: (call: number, method: ScriptedMethod) => Behaviour = () => 'answer';

  constructor(options: {
    readonly clock: Clock;
    readonly rows?: Iterable<readonly [string, T]>;
    /** With `fetchChanges`, `fetchAll` answers a `Snapshot` with a cursor. @default fetchAll, fetchOne, fetchMany */
    readonly methods?: readonly SourceMethod[];
  }) {
    const { clock, rows = [], methods = ['fetchAll', 'fetchOne', 'fetchMany'] } = options;
    this.#clock = clock;
    this.#rows = new ScriptedRows(rows);
    this.rows = this.#rows.map;
    if (methods.includes('fetchAll')) this.fetchAll = (context) => this.#all(context);
    if (methods.includes('fetchOne')) this.fetchOne = (key, context) => this.#one(key, context);
    if (methods.includes('fetchMany')) this.fetchMany = (keys, context) => this.#many(keys, context);
    if (methods.includes('fetchChanges')) this.fetchChanges = (since, context) => this.#changes(since, context);
    if (methods.includes('watch')) this.watch = (nudge, context) => this.#watch(nudge, context);
  }

  /** From now on: one behaviour, or one for each call (flapping, say). */
  behave(behaviour: Behaviour | ((call: number, method: ScriptedMethod) => Behaviour)): void {
    this.#behaviour = typeof behaviour === 'function' ? behaviour : () => behaviour;
  }

  /** How often a method was called. */
  count(method?: ScriptedMethod): number {
    return method === undefined ? this.calls.length : this.calls.filter((call) => call.method === method).length;
  }

  /** The position of the truth as it is now: how many changes there have been. */
  get cursor(): number {
    return this.#rows.position;
  }

  /** How many watches stand: 0 when everything was cleaned up. */
  get watching(): number {
    return this.#watches.size;
  }

  /** Rings all standing watches. */
  nudge(): void {
    for (const { nudge } of [...this.#watches]) nudge();
  }

  /** All standing watches die. */
  loseWatch(error: unknown = outage()): void {
    for (const watch of [...this.#watches]) this.#lose(watch, error);
  }

  async #one(key: string, context: FetchContext): Promise<T | undefined> {
    return new Map(rowsOf(await this.#ask('fetchOne', context, { keys: [key] }).answered)).get(key);
  }

  async #many(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, T>> {
    return new Map(rowsOf(await this.#ask('fetchMany', context, { keys }).answered));
  }

  async #all(context: FetchContext): Promise<Entries<T> | Snapshot<T>> {
    const asked = this.#ask('fetchAll', context);
    const stream = isPartial(asked.behaviour) ? inTwoParts(asked) : whole(await asked.answered);
    return this.fetchChanges === undefined ? stream.entries : stream;
  }

  async #changes(since: unknown, context: FetchContext): Promise<Delta<T> | 'resync'> {
    const asked = this.#ask('fetchChanges', context, { since });
    if (isPartial(asked.behaviour)) {
      const stream = inTwoParts(asked);
      return {
        upserts: stream.entries,
        deletes: asked.call.deletes,
        get cursor() {
          return stream.cursor;
        },
      };
    }
    const answer = await asked.answered;
    if (answer === 'resync') return answer;
    return { upserts: answer.rows, deletes: answer.deletes, cursor: answer.cursor };
  }

  async #watch(nudge: () => void, context: WatchContext): Promise<() => Promise<void>> {
    const { behaviour, answered } = this.#ask('watch', context);
    await answered;
    const watch: Watch = { nudge, context };
    this.#watches.add(watch);
    // In a turn of its own: a watch cannot be lost before its caller knows that it stands.
    if (behaviour === 'half') setImmediate(() => this.#lose(watch, outage()));
    return async () => {
      this.#watches.delete(watch);
      await this.#ask('unwatch', context).answered;
    };
  }

  #lose(watch: Watch, error: unknown): void {
    if (this.#watches.delete(watch)) watch.context.lost(error);
  }

  #ask(method: ScriptedMethod, context: FetchContext, question: Question = {}): Asked<T> {
    // What is stopped has been aborted, and its watch is ended all the same.
    if (method !== 'unwatch') context.signal.throwIfAborted();
    const behaviour = this.#behaviour(this.calls.length + 1, method);
    const truth = this.#truth(method, question);
    const { promise: answered, resolve, reject } = Promise.withResolvers<Answer<T>>();
    const call: ScriptedCall<T> = {
      method,
      context,
      ...truth,
      since: question.since,
      answer: (rows, deletes = rows === undefined ? truth.deletes : []) =>
        resolve({ rows: rows ?? truth.rows, deletes, cursor: truth.cursor }),
      resync: () => resolve('resync'),
      fail: (error = outage()) => reject(error),
    };
    this.calls.push(call);
    const isResync = method === 'fetchChanges' && (behaviour === 'resync' || !this.#rows.isPosition(question.since));
    const answer = isResync ? call.resync : (): void => call.answer();
    const streams = method === 'fetchAll' || method === 'fetchChanges';
    if (behaviour === 'fail') call.fail();
    else if (behaviour === 'refuse')
      call.fail(Object.assign(new Error('the request was refused'), { reachable: true }));
    else if (behaviour === 'half' && streams) call.fail(new Error('connection reset'));
    else if (behaviour === 'empty') resolve({ rows: new Map(), deletes: [], cursor: question.since ?? truth.cursor });
    else if (isSlow(behaviour)) this.#clock.setTimer(answer, behaviour.slowMs);
    else if (isLie(behaviour)) resolve(told(behaviour, truth.cursor));
    else if (behaviour !== 'hang' && behaviour !== 'hold' && behaviour !== 'pause') answer();
    return { call, behaviour, answered };
  }

  #truth(
    method: ScriptedMethod,
    { keys, since }: Question,
  ): Pick<ScriptedCall<T>, 'keys' | 'rows' | 'deletes' | 'cursor'> {
    const { map, position: cursor } = this.#rows;
    if (method === 'watch' || method === 'unwatch') return { keys: [], rows: new Map(), deletes: [], cursor };
    const asked = keys ?? (method === 'fetchAll' ? [...map.keys()] : this.#rows.changedSince(since));
    const present = asked.filter((key) => map.has(key));
    return {
      keys: asked,
      rows: new Map(present.map((key) => [key, map.get(key)!])),
      deletes: method === 'fetchChanges' ? asked.filter((key) => !map.has(key)) : [],
      cursor,
    };
  }
}

function outage(): Error {
  return new Error('connection refused');
}
