/** One history's world: the truth, the source, the cache, and what is known of what readers may be told. */
import { type CacheSnapshot, type Derived, type RefreshReport, TTLCacheService } from '../src/index.ts';
import { limitSingleCalls } from '../src/limited.ts';
import type { StandardSchema } from '../src/schema.ts';
import { AbsentModel } from './absent-model.ts';
import { BreakerModel } from './breaker-model.ts';
import { type Call, confirmedAt, mayBeSeen, toldTooLate, type Value } from './calls.ts';
import { Soon } from './check-soon.ts';
import { HistoryClock } from './clock.ts';
import { Knowledge } from './knowledge.ts';
import { BrokenPromise, type Counts, type PromiseNumber } from './promises.ts';
import type { Read } from './reads.ts';
import { REFRESH_INTERVAL, REFRESH_TIMEOUT, type Settings, TTL } from './settings.ts';
import { Table } from './table.ts';
import { Turns } from './turns.ts';
import { type SourceHooks, WildSource } from './wild-source.ts';

/** A snapshot that a history has opened, and what it has to stay like. */
export interface OpenSnapshot {
  readonly snapshot: CacheSnapshot<Value>;
  readonly entries: ReadonlyMap<string, Value>;
  readonly generation: number;
  readonly endsAt: number;
  /** When it was opened. */
  readonly step: number;
  closed: boolean;
}

export class World {
  readonly settings: Settings;
  readonly counts: Counts;
  readonly clock: HistoryClock;
  readonly turns: Turns = new Turns();
  readonly table: Table;
  readonly wild: WildSource;
  readonly cache: TTLCacheService<Value>;
  readonly derived: Derived<{ readonly of: Value }>;
  readonly breaker: BreakerModel;
  readonly known: Knowledge;
  readonly soon: Soon = new Soon();
  /** Absent answers that the source may be asked for. */
  readonly allowance: AbsentModel;
  readonly reads: Set<Read> = new Set();
  readonly snapshots: Set<OpenSnapshot> = new Set();
  /** `undefined`: as good as new. */
  life: 'started' | 'stopped' | undefined;
  /** When it was last stopped. */
  stoppedStep = -1;
  /** Counts what happens, so that it has an order. */
  step = 0;
  /** Steps and turns since nothing moved. */
  happenings = 0;
  /** Refreshes that somebody waits for: they may be the probe of an open breaker. */
  insisting = 0;
  /** Refreshes that only say what would change. */
  dryRuns = 0;
  /** Rounds that have ended. */
  ended = 0;
  /** Of these: that have ended well. */
  rounds = 0;
  /** How often it may have come out that the source has no such key: at most. */
  absent = 0;
  /** Entries that had gone for room at the last look. */
  evictions = 0;
  /** Something was held at the last look. */
  wasHeld = false;
  /** The last call that has ended says that the source is not there. */
  isOutage = false;
  /** What goes on beside the history and has not ended yet. */
  readonly detached: Set<string> = new Set();
  /** The first promise that was broken. Core must not see it: it would take it for a failure of the source. */
  broken: BrokenPromise | undefined;
  readonly #reports = new Map<number, Set<RefreshReport>>();
  readonly #dryReports = new Map<number, Set<RefreshReport>>();
  /** Says what happens, when somebody wants to read it. */
  tell: ((line: string) => void) | undefined;

  constructor(settings: Settings, counts: Counts, hooks: SourceHooks) {
    this.settings = settings;
    this.counts = counts;
    this.clock = new HistoryClock(settings.chance);
    this.table = new Table(() => this.clock.now());
    this.known = new Knowledge(settings.keys);
    this.breaker = new BreakerModel(this.clock);
    this.allowance = new AbsentModel(settings.maxAbsentPerSecond);
    const { clock, table, turns } = this;
    this.wild = new WildSource({ settings, table, turns, clock, hooks });
    const hasAll = settings.methods.includes('fetchAll');
    const source = this.wild.source();
    limitSingleCalls(source, settings.singleCalls);
    this.cache = new TTLCacheService<Value>({
      name: 'explored',
      source,
      clock,
      ttl: TTL,
      refreshTimeout: REFRESH_TIMEOUT,
      staleIfError: settings.staleIfError,
      negativeTtl: settings.negativeTtl,
      softTimeout: settings.softTimeout,
      timeout: settings.timeout,
      freeze: settings.freeze,
      maxAbsentPerSecond: settings.maxAbsentPerSecond,
      ...(this.hasSchema && { schema: this.#schema() }),
      ...(hasAll && { refreshInterval: REFRESH_INTERVAL, guard: settings.guard }),
      ...(settings.closedWorld && { closedWorld: true }),
      ...(this.maxEntries < Number.POSITIVE_INFINITY && { maxEntries: this.maxEntries }),
    } as ConstructorParameters<typeof TTLCacheService<Value>>[0]);
    this.derived = this.cache.derive((of) => ({ of }));
  }

  get now(): number {
    return this.clock.now();
  }

  get maxAge(): number {
    return TTL + this.settings.staleIfError;
  }

  /** Requests that were sent so far. */
  get tickets(): number {
    return this.wild.calls.length;
  }

  get canReadKeys(): boolean {
    return this.settings.methods.includes('fetchOne') || this.settings.methods.includes('fetchMany');
  }

  /** Entries that there is room for. */
  get maxEntries(): number {
    const { bounded, keys } = this.settings;
    return bounded && !this.hasAll ? Math.ceil(keys.length / 3) : Number.POSITIVE_INFINITY;
  }

  get hasSchema(): boolean {
    return this.settings.schema !== 'none';
  }

  /** No newer answer can be had: nobody is let through to the source, or it was not there. */
  get isFailing(): boolean {
    return this.isOutage || this.cache.status().breaker !== 'closed';
  }

  get hasAll(): boolean {
    return this.settings.methods.includes('fetchAll');
  }

  /** In how many turns so many keys are asked for: only those of the first are asked for at once. */
  turnsOf(keys: readonly string[]): number {
    const { methods, singleCalls } = this.settings;
    return methods.includes('fetchMany') ? 1 : Math.ceil(keys.length / singleCalls);
  }

  /** A read asks for these keys. */
  wanted(keys: readonly string[]): void {
    const mayWait = this.turnsOf(keys) > 1;
    for (const key of keys) {
      const known = this.known.of(key);
      known.wantedAt = this.step;
      known.waits ||= mayWait;
    }
  }

  /** A suspend is over, but the event loop has not turned since: what is overdue comes within a millisecond. */
  get isAsleep(): boolean {
    return (this.clock.dueTimes()[0] ?? Number.POSITIVE_INFINITY) <= this.now + 1;
  }

  /** A cache that cannot load everything asks again for what it knew to be absent. */
  nudged(): void {
    if (this.hasAll) return;
    for (const known of this.known.keys.values()) if (known.stored?.row === undefined) known.stored = undefined;
  }

  /** Is its newest row bad, or is it missing and waits to be removed? Then the last good value stays. */
  isKept(key: string): boolean {
    const { held, quarantine } = this.cache.status();
    return held?.sampleKeys.includes(key) === true || quarantine.some((row) => row.key === key);
  }

  keysAt(indices: readonly number[]): string[] {
    return [...new Set(indices.map((index) => this.keyAt(index)))];
  }

  keyAt(index: number): string {
    return this.settings.keys[index % this.settings.keys.length]!;
  }

  /** A check had something to say. */
  exercised(promise: PromiseNumber): void {
    this.counts[promise] += 1;
  }

  expect(promise: PromiseNumber, holds: boolean, message: () => string): void {
    if (holds || this.broken !== undefined) return;
    this.broken = new BrokenPromise(promise, message());
  }

  /** This goes on beside the history: it must end, and not fail. */
  detach(what: string, work: Promise<unknown>): void {
    const name = `${what} at step ${this.step}`;
    this.detached.add(name);
    work.then(
      () => this.detached.delete(name),
      (error: unknown) => this.expect(4, false, () => `${name} threw ${String(error)}`),
    );
  }

  /** Nothing moves any more. */
  settled(): void {
    this.happenings = 0;
    this.caughtUp();
  }

  /** Core has heard of all that has happened. */
  caughtUp(): void {
    this.breaker.caughtUp(this.tickets);
    this.allowance.caughtUp(this.now);
  }

  /** At most one round runs and one waits: who asks between the ends of two rounds gets one of two reports. */
  refreshed(askedAfter: number, report: RefreshReport): void {
    const all = report.dryRun ? this.#dryReports : this.#reports;
    const reports = all.get(askedAfter) ?? new Set();
    all.set(askedAfter, reports.add(report));
    this.expect(3, reports.size <= 2, () => `${reports.size} rounds for what was asked between the ends of two`);
  }

  /** The latest moment at which a request was sent whose answer can vouch for this value. */
  vouchedAt(key: string, value: Value): number {
    return Math.max(...this.#vouchers(key, value).map(confirmedAt));
  }

  /** The latest request whose answer can vouch for this value. */
  vouchedBy(key: string, value: Value): number {
    return Math.max(...this.#vouchers(key, value).map(({ ticket }) => ticket));
  }

  /** A replica that lags may have told this when it was no longer true. */
  wasToldTooLate(key: string, value: Value): boolean {
    return this.wild.calls.some((call) => mayBeSeen(call) && toldTooLate(call, key, value.version));
  }

  /** What is marked as bad is refused. */
  #schema(): StandardSchema<Value> {
    const validate = (value: Value) => (value.bad ? { issues: [{ message: 'it is bad' }] } : { value });
    return {
      '~standard': {
        version: 1,
        vendor: 'explore',
        validate: (value) =>
          this.settings.schema === 'async'
            ? this.wild.judge(value as Value, () => validate(value as Value))
            : validate(value as Value),
      },
    };
  }

  #vouchers(key: string, value: Value): Call[] {
    return this.wild.calls.filter((call) => mayBeSeen(call) && vouches(call, key, value));
  }
}

function vouches(call: Call, key: string, value: Value): boolean {
  // What a delta does not mention is as it was.
  if (call.method === 'fetchChanges' && !call.rows.has(key) && !call.deletes.has(key)) {
    return value.ticket === undefined || value.ticket < call.ticket;
  }
  return value.ticket === undefined ? call.rows.get(key)?.version === value.version : call.ticket === value.ticket;
}
