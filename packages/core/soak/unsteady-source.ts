/**
 * A source over the truth that is, at random, fast, slow, failing, hanging, empty, half or gone: in good times now and
 * then, in bad times always. On real timers.
 */
import { performance } from 'node:perf_hooks';
import type { Delta, FetchContext, Snapshot, Source, WatchContext } from '../src/source.ts';
import type { Random } from './random.ts';
import type { Truth } from './truth.ts';

/** A value as a cache holds it: which truth it is, and which request brought it. */
export interface Row {
  readonly key: string;
  readonly commit: number;
  /** The number of the request, in the order in which requests reached the source. */
  readonly sent: number;
  /** When that was, on the monotonic clock, and after which commit. */
  readonly sentAt: number;
  readonly sentAfter: number;
  readonly payload: string;
}

type Sent = Pick<Row, 'sent' | 'sentAt' | 'sentAfter'>;

export type Method = 'fetchAll' | 'fetchOne' | 'fetchMany' | 'fetchChanges' | 'watch';

/** What may become of a call, and how often. */
const GOOD_TIMES = { atOnce: 58, early: 13, late: 13, fail: 4, refuse: 3, hang: 2, stubborn: 2 } as const;
const BAD_TIMES = { fail: 6, hang: 1, stubborn: 1 } as const;
/** What only these methods can do wrong. */
const FAULTS_OF = {
  fetchAll: { half: 3, twice: 2, empty: 4 },
  fetchChanges: { half: 3, twice: 2, resync: 3 },
} as const;
type Fate = keyof typeof GOOD_TIMES | 'half' | 'twice' | 'empty' | 'resync';

/** How long an answer takes, in milliseconds. The longest are past every deadline of `SETTINGS`. */
const SLOW_MS = { least: 1, most: 40 };
const STUBBORN_MS = { least: 50, most: 300 };
const GOOD_MS = { least: 500, most: 4_000 };
const BAD_MS = { least: 100, most: 1_600 };

/** Every other watch is lost soon, the others after a while. */
const SHORT_WATCH_MS = { least: 50, most: 1_500 };
const LONG_WATCH_MS = { least: 30_000, most: 60_000 };

interface Watch {
  readonly nudge: () => void;
  readonly context: WatchContext;
  readonly endsAt: number;
}

export class UnsteadySource implements Source<Row> {
  readonly fetchAll?: NonNullable<Source<Row>['fetchAll']>;
  readonly fetchOne?: NonNullable<Source<Row>['fetchOne']>;
  readonly fetchMany?: NonNullable<Source<Row>['fetchMany']>;
  readonly fetchChanges?: NonNullable<Source<Row>['fetchChanges']>;
  readonly watch?: NonNullable<Source<Row>['watch']>;
  /** How often each thing happened. */
  readonly fates: Map<Fate | 'lost', number> = new Map();
  /** The number of the last request. */
  requests = 0;
  /** From now on, every call answers at once. */
  steady = false;
  readonly #truth: Truth;
  readonly #random: Random;
  readonly #watches = new Set<Watch>();
  #watchesSoFar = 0;
  #isGood = true;
  #turnsAt = performance.now() + GOOD_MS.least;

  constructor(truth: Truth, random: Random, methods: readonly Method[]) {
    this.#truth = truth;
    this.#random = random;
    if (methods.includes('fetchAll')) this.fetchAll = (context) => this.#all(context);
    if (methods.includes('fetchOne'))
      this.fetchOne = async (key, context) => (await this.#some([key], context)).get(key);
    if (methods.includes('fetchMany')) this.fetchMany = (keys, context) => this.#some(keys, context);
    if (methods.includes('fetchChanges')) this.fetchChanges = (since, context) => this.#changes(since, context);
    if (methods.includes('watch')) this.watch = (nudge, context) => this.#watch(nudge, context);
  }

  /** Watches that stand. */
  get watches(): number {
    return this.#watches.size;
  }

  /** The signals of the watches that stand: they live long. */
  get watchSignals(): AbortSignal[] {
    return [...this.#watches].map(({ context }) => context.signal);
  }

  /** Something has changed: most watches notice. */
  ring(): void {
    for (const watch of [...this.#watches]) {
      if (!this.steady && performance.now() > watch.endsAt) this.#lose(watch);
      else if (this.#random.chance(0.9)) watch.nudge();
    }
  }

  #lose(watch: Watch): void {
    this.#note('lost');
    this.#watches.delete(watch);
    watch.context.lost(new Error('the watch was lost'));
  }

  async #all(context: FetchContext): Promise<Snapshot<Row>> {
    const { fate, answer } = await this.#ask('fetchAll', context, (sent) => ({
      rows: this.#rowsOf(this.#truth.rows.keys(), sent),
      cursor: this.#truth.commits,
    }));
    if (fate === 'empty') return { entries: [] };
    return { entries: told(answer.rows, fate), cursor: answer.cursor };
  }

  async #some(keys: readonly string[], context: FetchContext): Promise<Map<string, Row>> {
    return (await this.#ask('fetchMany', context, (sent) => this.#rowsOf(keys, sent))).answer;
  }

  async #changes(since: unknown, context: FetchContext): Promise<Delta<Row> | 'resync'> {
    const { fate, answer } = await this.#ask('fetchChanges', context, (sent) => {
      const touched = this.#truth.changesSince(since as number);
      if (touched === undefined) return undefined;
      const deletes = [...touched].filter((key) => !this.#truth.rows.has(key));
      return { rows: this.#rowsOf(touched, sent), deletes, cursor: this.#truth.commits };
    });
    if (answer === undefined || fate === 'resync') return 'resync';
    return { upserts: told(answer.rows, fate), deletes: answer.deletes, cursor: answer.cursor };
  }

  async #watch(nudge: () => void, context: WatchContext): Promise<() => Promise<void>> {
    await this.#ask('watch', context, () => undefined);
    this.#watchesSoFar += 1;
    const { least, most } = this.#watchesSoFar % 2 === 1 ? SHORT_WATCH_MS : LONG_WATCH_MS;
    const watch: Watch = { nudge, context, endsAt: performance.now() + this.#random.whole(least, most) };
    this.#watches.add(watch);
    return async () => {
      this.#watches.delete(watch);
      if (!this.steady && this.#random.chance(0.1)) throw new Error('the watch could not be ended');
    };
  }

  /** Lets a call meet its fate; the answer is the truth at some moment between the request and the answer. */
  async #ask<A>(method: Method, context: FetchContext, read: (sent: Sent) => A): Promise<{ fate: Fate; answer: A }> {
    context.signal.throwIfAborted();
    this.requests += 1;
    const sent = { sent: this.requests, sentAt: performance.now(), sentAfter: this.#truth.commits };
    const fate = this.#draw(method);
    this.#note(fate);
    if (fate === 'hang') return new Promise(() => undefined);
    if (fate === 'stubborn') {
      await after(this.#random.whole(STUBBORN_MS.least, STUBBORN_MS.most));
      return { fate, answer: read(sent) };
    }
    const early = fate === 'early' ? { answer: read(sent) } : undefined;
    if (fate !== 'atOnce') await after(this.#random.whole(SLOW_MS.least, SLOW_MS.most), context.signal);
    if (fate === 'fail') throw new Error('connection refused');
    if (fate === 'refuse') throw Object.assign(new Error('permission denied'), { reachable: true });
    return { fate, answer: early === undefined ? read(sent) : early.answer };
  }

  #draw(method: Method): Fate {
    if (this.steady) return 'atOnce';
    const now = performance.now();
    if (now >= this.#turnsAt) {
      this.#isGood = !this.#isGood;
      const { least, most } = this.#isGood ? GOOD_MS : BAD_MS;
      this.#turnsAt = now + this.#random.whole(least, most);
    }
    if (!this.#isGood) return this.#random.weighted<Fate>(BAD_TIMES);
    const faults = method === 'fetchAll' || method === 'fetchChanges' ? FAULTS_OF[method] : {};
    return this.#random.weighted<Fate>({ ...GOOD_TIMES, ...faults });
  }

  #note(fate: Fate | 'lost'): void {
    this.fates.set(fate, (this.fates.get(fate) ?? 0) + 1);
  }

  #rowsOf(keys: Iterable<string>, sent: Sent): Map<string, Row> {
    const rows = new Map<string, Row>();
    for (const key of keys) {
      const record = this.#truth.rows.get(key);
      if (record !== undefined) rows.set(key, { key, ...record, ...sent });
    }
    return rows;
  }
}

/** The rows as they are, or a stream that breaks off half-way, or one that says something twice. */
function told(rows: ReadonlyMap<string, Row>, fate: Fate): Iterable<[string, Row]> | AsyncIterable<[string, Row]> {
  if (fate === 'half') return halfOf(rows);
  if (fate === 'twice') return [...rows, ...rows];
  return rows;
}

async function* halfOf(rows: ReadonlyMap<string, Row>): AsyncGenerator<[string, Row]> {
  yield* [...rows].slice(0, rows.size / 2);
  await after(1);
  throw new Error('connection reset');
}

/** Leaves no timer and no listener behind. */
export function after(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
