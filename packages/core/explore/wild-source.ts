/**
 * A source over the table that answers when the scheduler says so, and misbehaves when the history says so. When the
 * truth is read is a turn of its own, apart from when the request was sent and when the answer lands: only so do
 * answers that overlapped tell of different moments in either order.
 */
import {
  type Aged,
  aged,
  type Cursor,
  type Delta,
  type FetchContext,
  type Snapshot,
  type Source,
} from '../src/index.ts';
import type { WatchContext } from '../src/source.ts';
import { type Call, type Fault, isUnderWay, type Value } from './calls.ts';
import type { HistoryClock } from './clock.ts';
import { type Method, type Settings, TTL } from './settings.ts';
import type { Row, Table } from './table.ts';
import type { Turns } from './turns.ts';

/** What a history wants to hear. */
export interface SourceHooks {
  readonly sent: (call: Call) => void;
  /** The whole answer was handed over, or it failed. */
  readonly ended: (call: Call) => void;
  /** Core gave it up, or has taken note of its failure. */
  readonly aborted: (call: Call) => void;
  readonly watched: () => void;
}

interface Watch {
  readonly nudge: () => void;
  readonly context: WatchContext;
  stands: boolean;
}

interface Parts {
  readonly settings: Settings;
  readonly table: Table;
  readonly turns: Turns;
  readonly clock: HistoryClock;
  readonly hooks: SourceHooks;
}

/** What comes of these is an answer, be it true or not. */
const GOOD: readonly Fault[] = ['answer', 'aged', 'empty', 'replica'];
const BULK_ONLY: readonly Fault[] = ['half', 'empty', 'replica', 'duplicate', 'odd key', 'no value', 'too old'];

export class WildSource {
  readonly calls: Call[] = [];
  /** What the next calls do, one each; after that they answer. */
  faults: Fault[] = [];
  /** Watches that were told to end and have not yet. */
  endingWatches = 0;
  readonly #parts: Parts;
  readonly #watches: Watch[] = [];
  readonly #values = new Map<string, Value>();
  /** Rows of single keys that the schema has not judged yet, and the call that has brought each. */
  readonly #unjudged = new Map<Value, Call>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What core sees. */
  source(): Source<Value> {
    const { methods, watch } = this.#parts.settings;
    return {
      ...(methods.includes('fetchAll') && { fetchAll: (context) => this.#all(context) }),
      ...(methods.includes('fetchOne') && { fetchOne: (key, context) => this.#one(key, context) }),
      ...(methods.includes('fetchMany') && { fetchMany: (keys, context) => this.#many(keys, context) }),
      ...(methods.includes('fetchChanges') && { fetchChanges: (since, context) => this.#changes(since, context) }),
      ...(watch && { watch: (nudge, context) => this.#watch(nudge, context) }),
    };
  }

  /** By all watches, those that are over included: nobody must mind. */
  nudge(): void {
    for (const { nudge } of this.#watches) nudge();
  }

  /** Is there a watch that core has not given up? */
  get isWatched(): boolean {
    return this.#watches.some(({ stands, context }) => stands && !context.signal.aborted);
  }

  get standingWatches(): number {
    return this.#watches.filter(({ stands }) => stands).length;
  }

  /** The watch that stands dies. */
  loseWatch(): void {
    const watch = this.#watches.findLast(({ stands }) => stands);
    if (watch === undefined) return;
    watch.stands = false;
    watch.context.lost(new Error('the watch was lost'));
  }

  async #one(key: string, context: FetchContext): Promise<Value | Aged<Value> | undefined> {
    const call = this.#send('fetchOne', [key], context);
    await this.#answer(call);
    const value = this.#valueOf(call, key);
    this.#handOver(call, value === undefined ? [] : [value]);
    return value !== undefined && call.fault === 'aged' ? aged(value, call.ageMs) : value;
  }

  async #many(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, Value | Aged<Value>>> {
    const call = this.#send('fetchMany', [...keys], context);
    await this.#answer(call);
    if (call.fault === 'no answer') this.#end(call);
    if (call.fault === 'no answer') return undefined as unknown as ReadonlyMap<string, Value>;
    const values = [...call.rows.keys()].map((key) => this.#valueOf(call, key)!);
    this.#handOver(call, values);
    return new Map(values.map((value) => [value.key, call.fault === 'aged' ? aged(value, call.ageMs) : value]));
  }

  async #all(context: FetchContext): Promise<Snapshot<Value>> {
    const call = this.#send('fetchAll', undefined, context);
    await this.#answer(call);
    if (call.fault === 'no answer') this.#end(call);
    if (call.fault === 'no answer') return 7 as unknown as Snapshot<Value>;
    // One that lies must not say that it knows where the changes go on: nobody could ever find out.
    const followed = this.#parts.settings.methods.includes('fetchChanges') && call.fault !== 'empty';
    return {
      entries: this.#entries(call),
      ageMs: call.ageMs,
      ...(followed && { cursor: call.readCommit }),
    };
  }

  async #changes(since: Cursor, context: FetchContext): Promise<Delta<Value> | 'resync'> {
    const call = this.#send('fetchChanges', undefined, context, since as number);
    await this.#answer(call);
    if (call.fault === 'no answer' || call.fault === 'resync') this.#end(call);
    if (call.fault === 'no answer') return {} as Delta<Value>;
    if (call.fault === 'resync') return 'resync';
    return { upserts: this.#entries(call), deletes: call.deletes, cursor: call.readCommit, ageMs: call.ageMs };
  }

  #watch(nudge: () => void, context: WatchContext): Promise<() => Promise<void>> {
    const { turns, hooks } = this.#parts;
    hooks.watched();
    const watch = { nudge, context, stands: false };
    this.#watches.push(watch);
    const fault = this.faults.shift() ?? 'answer';
    const number = this.#watches.length;
    return new Promise((resolve, reject) => {
      if (fault === 'hang') return;
      turns.add(`watch ${number} ${fault === 'fail' ? 'fails' : 'stands'}`, () => {
        if (fault === 'fail') return reject(new Error('no watch'));
        watch.stands = !context.signal.aborted;
        resolve(() => {
          watch.stands = false;
          this.endingWatches += 1;
          return new Promise((done) => {
            turns.add(`watch ${number} is over`, () => {
              this.endingWatches -= 1;
              done();
            });
          });
        });
      });
    });
  }

  #send(method: Method, keys: readonly string[] | undefined, context: FetchContext, since?: number): Call {
    const { settings, clock, hooks } = this.#parts;
    const ticket = this.calls.length + 1;
    const fault = fitting(this.faults.shift() ?? (settings.resyncs ? 'resync' : 'answer'), method);
    const tooOld = TTL + settings.staleIfError + 1;
    const call: Call = {
      ticket,
      method,
      keys,
      reason: context.reason,
      at: clock.now(),
      fault,
      signal: context.signal,
      ageMs: fault === 'too old' ? tooOld : fault === 'aged' ? (ticket % 2 === 0 ? 200 : TTL + 100) : 0,
      since,
      readCommit: undefined,
      rows: new Map(),
      deletes: new Set(),
      state: 'under way',
      landedAt: 0,
      landedStep: 0,
      round: 'open',
    };
    hooks.sent(call);
    this.calls.push(call);
    context.signal.addEventListener('abort', () => hooks.aborted(call), { once: true });
    return call;
  }

  /** Waits until the scheduler lets the answer land; fails where it is to fail. */
  #answer(call: Call): Promise<void> {
    const { turns } = this.#parts;
    return new Promise((resolve, reject) => {
      if (call.fault === 'hang') return;
      const withdraw = turns.add(`read ${call.ticket}`, () => this.#read(call));
      turns.add(`land ${call.ticket}`, () => {
        withdraw();
        if (call.fault === 'fail' || call.fault === 'refuse') {
          this.#end(call);
          return reject(call.fault === 'fail' ? outage() : Object.assign(new Error('refused'), { reachable: true }));
        }
        this.#read(call);
        resolve();
      });
    });
  }

  /** This is the moment whose truth it tells. */
  #read(call: Call): void {
    const { table } = this.#parts;
    if (call.readCommit !== undefined) return;
    call.readCommit = table.head;
    if (call.since !== undefined) {
      const changed = [...table.changed(call.since, table.head)];
      call.rows = new Map(changed.flatMap((key) => (table.row(key) ? [[key, table.row(key)!]] : [])));
      call.deletes = new Set(changed.filter((key) => table.row(key) === undefined));
    } else if (call.keys !== undefined) {
      call.rows = new Map(call.keys.flatMap((key) => (table.row(key) ? [[key, table.row(key)!]] : [])));
    } else if (call.fault !== 'empty') {
      if (call.fault === 'replica') call.readCommit = Math.max(1, table.head - 1 - (call.ticket % 3));
      call.rows = table.rows(call.readCommit);
    }
  }

  #end(call: Call): void {
    const { clock, hooks } = this.#parts;
    const good = GOOD.includes(call.fault);
    call.state = isUnderWay(call) ? (good ? 'landed' : 'failed') : 'late';
    call.landedAt = clock.now();
    hooks.ended(call);
  }

  #entries(call: Call): Iterable<readonly [string, Value]> | AsyncIterable<readonly [string, Value]> {
    const entries = [...call.rows.keys()].map((key) => [key, this.#valueOf(call, key)!] as const);
    const rows = wrong(entries, call.fault);
    if (this.#parts.settings.bulk === 'stream' || call.fault === 'half') return this.#stream(call, rows);
    if (this.#parts.settings.schema === 'async') return this.#oneByOne(call, rows);
    this.#end(call);
    return rows;
  }

  /** Core takes the next row when the last one was judged: the answer is whole when it asks for one more. */
  *#oneByOne(call: Call, rows: readonly (readonly [string, Value])[]): Generator<readonly [string, Value]> {
    try {
      yield* rows;
    } finally {
      this.#end(call);
    }
  }

  /** An answer about single keys: it is whole when the schema has judged all its rows. */
  #handOver(call: Call, values: readonly Value[]): void {
    const isJudgedLater = this.#parts.settings.schema === 'async' && values.length > 0;
    if (!isJudgedLater) this.#end(call);
    else for (const value of values) this.#unjudged.set(value, call);
  }

  /** What a schema that asks elsewhere says of a row, at a turn of its own. */
  judge<R>(value: Value, verdict: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#parts.turns.add(`judge ${value.key} ${value.version}`, () => {
        const call = this.#unjudged.get(value);
        this.#unjudged.delete(value);
        if (call !== undefined && ![...this.#unjudged.values()].includes(call)) this.#end(call);
        try {
          resolve(verdict());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  /** Each row waits for its turn. */
  async *#stream(call: Call, rows: readonly (readonly [string, Value])[]): AsyncGenerator<readonly [string, Value]> {
    const turn = (what: string): Promise<void> =>
      new Promise((resolve) => void this.#parts.turns.add(`${what} ${call.ticket}`, resolve));
    try {
      for (const row of call.fault === 'half' ? rows.slice(0, 1) : rows) {
        await turn('row of');
        yield row;
      }
      await turn('end of');
      if (call.fault === 'half') throw outage();
    } finally {
      // Also where core has turned away: from rows that are none, or at its deadline.
      this.#end(call);
    }
  }

  #valueOf({ ticket, rows }: Call, key: string): Value | undefined {
    const row = rows.get(key);
    if (row === undefined) return undefined;
    const { values } = this.#parts.settings;
    if (values === 'numbered') return toValue(key, row, ticket);
    if (values === 'plain') return toValue(key, row);
    const name = `${row.version} ${key}`;
    const value = this.#values.get(name) ?? toValue(key, row);
    this.#values.set(name, value);
    return value;
  }
}

function toValue(key: string, { version, bad }: Row, ticket?: number): Value {
  return {
    key,
    version,
    inner: { list: [version] },
    ...(bad && { bad: true }),
    ...(ticket !== undefined && { ticket }),
  };
}

/** What a fault is, where the method cannot have it. */
function fitting(fault: Fault, method: Method): Fault {
  const single = method === 'fetchOne' || method === 'fetchMany';
  if (single && BULK_ONLY.includes(fault)) return 'answer';
  if (method === 'fetchOne' && fault === 'no answer') return 'refuse';
  if (method === 'fetchChanges' && (fault === 'empty' || fault === 'replica')) return 'answer';
  return fault === 'resync' && method !== 'fetchChanges' ? 'answer' : fault;
}

/** Rows that are no answer. */
function wrong(rows: (readonly [string, Value])[], fault: Fault): (readonly [string, Value])[] {
  const [key, value] = rows[0] ?? ['a', toValue('a', { version: 0, bad: false })];
  if (fault === 'duplicate') return [...rows, [key, value], [key, value]];
  if (fault === 'odd key') return [...rows, [7 as unknown as string, value]];
  if (fault === 'no value') return [...rows, ['none', undefined as unknown as Value]];
  return rows;
}

function outage(): Error {
  return new Error('connection reset');
}
