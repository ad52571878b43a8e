/**
 * Values made of rows of several tables: built when somebody asks (or ahead), kept, and dropped exactly when something
 * they looked at has changed. What was dropped is built again at the next look; if it is equal, it is the same object.
 */
import {
  type CacheChange,
  type CacheStatus,
  type CheckedRow,
  type Frozen,
  RowCheck,
  type SnapshotOptions,
} from 'evercache';
import { Slice } from '../slice.ts';
import { Dependents } from './dependents.ts';
import { type Found, MirrorFace } from './face.ts';
import { freeze, sameOf } from './identity.ts';
import { MapSnapshot } from './map-snapshot.ts';
import type { MirrorCore } from './mirror-core.ts';
import { Reading } from './reading.ts';
import type { Shown } from './tables.ts';
import type { ResolvedView } from './view-options.ts';

/** A value, as it was built last. */
class Entry<V> {
  readonly key: string;
  value: V | undefined;
  /** Something it looked at has changed since, or it was never built. */
  isDropped = true;
  /** Why the newest value was refused; `value` is the last good one. */
  problem: string | undefined;
  /** When the value was confirmed last; `undefined`: with everything else. */
  confirmedAt: number | undefined;
  /** What it looked at. */
  seen: readonly string[] = [];

  constructor(key: string) {
    this.key = key;
  }
}

export class MirrorView<V> extends MirrorFace<V> {
  readonly #view: ResolvedView;
  readonly #reading: Reading;
  readonly #check: RowCheck<V>;
  readonly #entries = new Map<string, Entry<V>>();
  readonly #dependents = new Dependents<Entry<V>>();
  readonly #refused = new Set<Entry<V>>();
  /** Were invalidated, and may not be made of rows from before. */
  readonly #unsure = new Set<Entry<V>>();
  /** Keys that the generation shown last has dropped. */
  #dropped: string[] = [];
  /** Keys to be built ahead, or all of them. */
  #ahead: Set<string> | 'all' = new Set();
  #building: Promise<void> | undefined;

  /** @internal */
  constructor(core: MirrorCore, view: ResolvedView) {
    super(view.name, core);
    this.#view = view;
    this.#reading = new Reading(core.tables, core.all);
    this.#check = new RowCheck<V>(view.schema as never);
    core.tables.list(view.keys.tag);
    this.#buildAhead('all');
  }

  get size(): number {
    return this.core.tables.isOpen ? this.core.tables.size(this.#view.keys) : 0;
  }

  *keys(): Generator<string> {
    const { tag } = this.#view.keys;
    for (const key of this.core.tables.keys(this.#view.keys)) yield key.slice(tag.length);
  }

  /** Builds what has not been built yet, so that nothing can change it. */
  snapshot(options?: SnapshotOptions): Frozen<V> {
    return new MapSnapshot(this.core.cache.snapshot(options), new Map(this.entries()));
  }

  override async settled(): Promise<void> {
    await super.settled();
    while (this.#building !== undefined) await this.#building;
  }

  forget(): void {
    this.#entries.clear();
    this.#dependents.clear();
    this.#refused.clear();
    this.#unsure.clear();
  }

  protected rowKey(key: string): string {
    return this.#view.keys.tag + key;
  }

  protected invalidKey(key: string): string {
    return `:${this.name}:${key}`;
  }

  protected find(key: string): Found<V> | undefined {
    const known = this.#entries.get(key);
    if (known !== undefined && !known.isDropped && known.problem === undefined) return known;
    const row = this.core.tables.row(this.rowKey(key));
    if (row === undefined) return undefined;
    const entry = this.#entryOf(key);
    if (entry.isDropped || this.#unsure.has(entry)) this.#build(entry, row);
    if (entry.problem === undefined) return entry;
    const ageMs = this.#ageOf(entry);
    const isServed = ageMs !== undefined && ageMs <= this.core.maxAge;
    return { value: isServed ? entry.value : undefined, problem: entry.problem, ageMs };
  }

  protected *inputs(key: string): Generator<string> {
    this.find(key);
    for (const name of this.#entries.get(key)?.seen ?? []) yield* this.core.tables.keysNamed(name);
  }

  protected refused(): CacheStatus['quarantine'] {
    return [...this.#refused].map((entry) => ({
      key: entry.key,
      message: entry.problem ?? '',
      ageMs: this.#ageOf(entry),
    }));
  }

  note({ touched, removed, added }: Shown): void {
    this.#dropped = [];
    if (touched === undefined) {
      for (const entry of this.#entries.values()) {
        if (this.core.tables.row(this.rowKey(entry.key)) === undefined) this.#forget(entry.key);
        else this.#drop(entry);
      }
    } else {
      this.#dependents.visit(touched, (entry) => this.#drop(entry));
    }
    const { tag } = this.#view.keys;
    const own = (keys: readonly string[]): string[] =>
      keys.filter((key) => key.startsWith(tag)).map((key) => key.slice(tag.length));
    for (const key of own(removed)) this.#forget(key);
    this.#buildAhead(touched === undefined ? 'all' : [...this.#dropped, ...own(added)]);
  }

  /** What the values were made of before is not to be served again, not even where what is there now is refused. */
  readAgain(names: ReadonlySet<string>): void {
    const again: string[] = [];
    const clear = (entry: Entry<V>): void => {
      this.#drop(entry);
      entry.value = undefined;
      again.push(entry.key);
    };
    this.#dependents.visit(names, clear);
    const own = this.invalidKey('');
    for (const name of names) {
      const key = name.slice(own.length);
      if (!name.startsWith(own) || this.core.tables.row(this.rowKey(key)) === undefined) continue;
      this.#unsure.add(this.#entryOf(key));
      clear(this.#entryOf(key));
    }
    this.#buildAhead(again);
  }

  protected changesOf({ added, removed }: Shown): Omit<CacheChange, 'generation'> {
    const { tag } = this.#view.keys;
    const own = (keys: readonly string[]): string[] =>
      keys.filter((key) => key.startsWith(tag)).map((key) => key.slice(tag.length));
    const updated = this.#dropped.filter((key) => this.#entries.has(key));
    return { added: own(added), updated, removed: own(removed) };
  }

  #entryOf(key: string): Entry<V> {
    const entry = this.#entries.get(key) ?? new Entry<V>(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #drop(entry: Entry<V>): void {
    if (entry.isDropped) return;
    entry.isDropped = true;
    // Whatever comes of it: the value it has was true at the round before.
    entry.confirmedAt ??= this.core.confirmedBefore;
    this.#dropped.push(entry.key);
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#dependents.remove(entry, entry.seen);
    this.#refused.delete(entry);
    this.#unsure.delete(entry);
  }

  #build(entry: Entry<V>, row: unknown): void {
    const seen = this.#reading.begin();
    seen.add(this.rowKey(entry.key));
    const checked = this.#checked(row, entry.key);
    const unconfirmed = this.#unsure.has(entry) ? this.#unconfirmed(seen) : undefined;
    if (unconfirmed === undefined) this.#unsure.delete(entry);
    const { value, problem = unconfirmed } = checked;
    if (problem !== undefined && entry.value !== undefined) {
      entry.value = this.#stillGood(entry.value, row, entry.key);
      // It goes on depending on what that was made of.
      for (const name of entry.seen) seen.add(name);
    }
    entry.isDropped = false;
    entry.seen = this.#dependents.move(entry, entry.seen, seen);
    const isNew = entry.problem !== problem;
    entry.problem = problem;
    if (problem === undefined) {
      entry.value = freeze(sameOf(value as V, entry.value));
      entry.confirmedAt = undefined;
      this.#refused.delete(entry);
    } else {
      this.#refused.add(entry);
      if (isNew) this.events.emit('quarantine', { key: entry.key, message: problem });
    }
  }

  /** What of the last good value may be served although the newest is refused. */
  #stillGood(lastGood: V, row: unknown, key: string): V | undefined {
    const { whenRefused } = this.#view;
    if (whenRefused === undefined) return lastGood;
    try {
      return freeze(sameOf(whenRefused(lastGood, row, this.#reading.tables, key) as V, lastGood));
    } catch {
      return undefined;
    }
  }

  /** Why one of the rows that were looked at may be one from before; `undefined`: none is. */
  #unconfirmed(seen: ReadonlySet<string>): string | undefined {
    const { core } = this;
    for (const name of seen) {
      for (const key of core.tables.keysNamed(name)) {
        const problem = core.unconfirmed(key);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  }

  #checked(row: unknown, key: string): { readonly value?: V; readonly problem?: string | undefined } {
    let built: unknown;
    try {
      built = this.#view.build(row, this.#reading.tables, key);
    } catch (error) {
      return { problem: `build threw ${error instanceof Error ? error.name : typeof error}` };
    }
    if (built === undefined) return { problem: 'build gave undefined, which means absent' };
    const checked: CheckedRow<V> | Promise<unknown> = this.#check.check(built);
    if (!(checked instanceof Promise)) return checked;
    checked.catch(() => {});
    return { problem: 'the schema answers later; expected one that answers at once' };
  }

  /** Since the last good value of a refused one was confirmed; `undefined`: there is none. */
  #ageOf({ value, confirmedAt }: Entry<V>): number | undefined {
    return value === undefined ? undefined : this.core.now() - (confirmedAt ?? this.core.confirmedBefore);
  }

  #buildAhead(keys: 'all' | readonly string[]): void {
    if (!this.#view.ahead || keys.length === 0) return;
    if (keys === 'all') this.#ahead = keys;
    else if (this.#ahead !== 'all') for (const key of keys) this.#ahead.add(key);
    this.#building ??= this.#buildAll().finally(() => {
      this.#building = undefined;
    });
  }

  async #buildAll(): Promise<void> {
    const slice = new Slice();
    // Not in the step that shows the generation.
    await slice.next();
    while (this.#ahead === 'all' || this.#ahead.size > 0) {
      const keys = this.#ahead === 'all' ? this.keys() : this.#ahead;
      this.#ahead = new Set();
      for (const key of keys) {
        this.peek(key);
        if (slice.isOver()) await slice.next();
      }
    }
  }
}
