/**
 * What is read of a mirror: the rows of one generation, and the indexes over just these rows. Both move on together, in
 * one synchronous step of the cache underneath, so whoever reads sees a generation whole:
 *
 *     cache publishes ──▶ 'change' ──▶ indexes corrected, rows of the new generation, views told what they looked at
 *
 * Few changes are applied at once. Many (the first load above all) are prepared aside, a slice at a time, while what was
 * there is served; then they are shown in one step, too.
 */
import type { CacheChange, Frozen, TTLCacheService } from 'evercache';
import { Slice } from '../slice.ts';
import { type ResolvedTable, tagOf } from './mirror-options.ts';
import { MARKERS } from './mirror-source.ts';
import { RowIndex } from './row-index.ts';

/** So many changed rows are applied at once: it takes some milliseconds. */
const FEW = 2000;
/** It is opened anew at every round, and closed when the mirror stops. */
const FOR_EVER = '36500d';

/** What was shown, in terms of what somebody may have looked at. */
export interface Shown {
  /** Rows by key, buckets by `bucketName`. `undefined`: anything. */
  readonly touched: ReadonlySet<string> | undefined;
  /** Keys with their tags. */
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
  readonly generation: number;
}

interface Indexed {
  readonly rows: Frozen<unknown>;
  readonly indexes: ReadonlyMap<string, readonly RowIndex[]>;
  readonly sizes: Map<string, number>;
  /** The keys of the tables that are walked through. */
  readonly lists: ReadonlyMap<string, Set<string>>;
}

interface Building {
  /** Keys that have changed since the generation that it has come to. */
  changed: Set<string>;
}

export class Tables {
  readonly #cache: TTLCacheService<unknown>;
  readonly #tables: readonly ResolvedTable[];
  readonly #onShown: (shown: Shown) => void;
  readonly #listed = new Set<string>();
  #now: Indexed | undefined;
  /** What is prepared aside. */
  #building: Building | undefined;
  #built: Promise<void> = Promise.resolve();

  constructor(cache: TTLCacheService<unknown>, tables: readonly ResolvedTable[], onShown: (shown: Shown) => void) {
    this.#cache = cache;
    this.#tables = tables;
    this.#onShown = onShown;
    cache.on('change', (change) => this.#change(change));
    cache.on('refresh', () => this.#keepUp());
  }

  /** May anything be read? Not before the first load, after a stop, when all is invalidated or too old to be served. */
  get isOpen(): boolean {
    return this.#now !== undefined && this.#cache.has(MARKERS.loaded);
  }

  /** Is a generation being prepared that has yet to be shown? */
  get isBehind(): boolean {
    return this.#building !== undefined;
  }

  /** When what has been published so far can be read. */
  async settled(): Promise<void> {
    while (this.#building !== undefined) await this.#built;
  }

  row(key: string): unknown {
    return this.#now?.rows.get(key);
  }

  /** The keys of the rows of a table with this value, in order. */
  keysBy(table: ResolvedTable, property: string, value: string): readonly string[] {
    const index = this.#now?.indexes.get(table.tag)?.find((known) => known.property === property);
    return index?.keys(value) ?? [];
  }

  /** The names under which somebody may have looked at a row as it is now. */
  namesOf(key: string): string[] {
    const tag = tagOf(key);
    const buckets = (this.#now?.indexes.get(tag) ?? []).flatMap((index) => {
      const value = index.valueOf(this.row(key));
      return value === undefined ? [] : bucketName(tag, index.property, value);
    });
    return [key, ...buckets];
  }

  /** The keys of the rows behind a name of what was looked at: a row, or a bucket. */
  keysNamed(name: string): readonly string[] {
    if (!name.startsWith(':')) return [name];
    const table = this.#tables.find(({ tag }) => name.startsWith(`:${tag}`));
    const rest = name.slice(1 + (table?.tag.length ?? 0));
    const property = table?.indexes.find((index) => rest.startsWith(`${index}:`));
    if (table === undefined || property === undefined) return [];
    return this.keysBy(table, property, rest.slice(property.length + 1));
  }

  size({ tag }: Pick<ResolvedTable, 'tag'>): number {
    return this.#now?.sizes.get(tag) ?? 0;
  }

  /** Keeps the keys of this table apart from all others, as somebody will walk through them. */
  list(tag: string): void {
    if (this.#listed.has(tag)) return;
    this.#listed.add(tag);
    const now = this.#now;
    if (now !== undefined) this.#now = { ...now, lists: new Map([...now.lists, [tag, new Set(keysOf(now, tag))]]) };
  }

  /** The keys of all rows of a table, with their tag. Without a list this walks through all tables. */
  keys({ tag }: ResolvedTable): Iterable<string> {
    return this.#now !== undefined && this.isOpen ? keysOf(this.#now, tag) : [];
  }

  /** Forgets everything that could be read. */
  clear(): void {
    this.#building = undefined;
    this.#now?.rows.close();
    this.#now = undefined;
  }

  #change(change: CacheChange): void {
    const { added, updated, removed } = change;
    // A listener that was told of something else before has stopped it.
    if (!this.#cache.has(MARKERS.loaded)) {
      this.clear();
      return;
    }
    // Loaded from nothing: what was read before is of another life.
    if (added[0] === MARKERS.loaded) this.clear();
    if (this.#building !== undefined) {
      for (const keys of [added, updated, removed]) for (const key of keys) this.#building.changed.add(key);
    } else if (this.#now === undefined || added.length + updated.length + removed.length > FEW) {
      this.#build([added, updated, removed]);
    } else {
      this.#show(this.#now, this.#open(), [...added, ...updated, ...removed]);
    }
  }

  /** After every round, so that no generation is kept longer than it is read. */
  #keepUp(): void {
    if (!this.#cache.has(MARKERS.loaded)) this.clear();
    const now = this.#now;
    if (now === undefined || this.#building !== undefined) return;
    const rows = this.#open();
    if (countOf(rows) === countOf(now.rows)) {
      now.rows.close();
      this.#now = { ...now, rows };
    } else {
      // Rows have gone by their age, which nobody announces.
      rows.close();
      this.#build([[...now.rows.keys()].filter((key) => !this.#cache.has(key))]);
    }
  }

  #open(): Frozen<unknown> {
    return this.#cache.snapshot({ maxAge: FOR_EVER });
  }

  /** Prepares everything anew, aside. */
  #build(published: readonly (readonly string[])[]): void {
    const building = { changed: new Set<string>() };
    this.#building = building;
    this.#built = this.#prepare(published, building);
  }

  async #prepare(published: readonly (readonly string[])[], building: Building): Promise<void> {
    const before = this.#now;
    let rows = this.#open();
    const next: Indexed = { rows, indexes: this.#emptyIndexes(), sizes: new Map(), lists: this.#emptyLists() };
    const difference = new Difference(before === undefined ? undefined : new Set());
    const slice = new Slice();
    // Stopped, or loaded anew: it is another one's business.
    const isOver = (): boolean => this.#building !== building;
    for (const key of rows.keys()) {
      correct(next, key, undefined, rows.get(key), true);
      if (slice.isOver()) await slice.next();
      if (isOver()) return rows.close();
    }
    for (const keys of published) {
      for (const key of keys) {
        difference.add(next, key, before?.rows.get(key), rows.get(key));
        if (slice.isOver()) await slice.next();
        if (isOver()) return rows.close();
      }
    }
    let latest = rows;
    const take = (key: string): void => {
      correct(next, key, rows.get(key), latest.get(key), false);
      difference.add(next, key, before?.rows.get(key), latest.get(key));
    };
    // As much may have changed meanwhile, and again while that is taken.
    while (building.changed.size > FEW) {
      const { changed } = building;
      building.changed = new Set();
      latest = this.#open();
      difference.forget(changed);
      for (const key of changed) {
        take(key);
        if (slice.isOver()) await slice.next();
        if (isOver()) {
          rows.close();
          return latest.close();
        }
      }
      rows.close();
      rows = latest;
    }
    // Few come last, and from here on nothing waits.
    latest = this.#open();
    difference.forget(building.changed);
    for (const key of building.changed) take(key);
    rows.close();
    before?.rows.close();
    this.#building = undefined;
    this.#now = { ...next, rows: latest };
    this.#onShown({ ...difference, generation: latest.generation });
  }

  #show(now: Indexed, rows: Frozen<unknown>, keys: readonly string[]): void {
    const difference = new Difference(new Set());
    for (const key of keys) {
      const [before, after] = [now.rows.get(key), rows.get(key)];
      correct(now, key, before, after, false);
      difference.add(now, key, before, after);
    }
    now.rows.close();
    this.#now = { ...now, rows };
    this.#onShown({ ...difference, generation: rows.generation });
  }

  #emptyLists(): ReadonlyMap<string, Set<string>> {
    return new Map([...this.#listed].map((tag) => [tag, new Set()]));
  }

  #emptyIndexes(): ReadonlyMap<string, readonly RowIndex[]> {
    return new Map(this.#tables.map(({ tag, indexes }) => [tag, indexes.map((property) => new RowIndex(property))]));
  }
}

/** Under which name a view remembers that it looked at all rows with a value. */
export function bucketName(tag: string, property: string, value: string): string {
  // A tag ends with the first colon; no key of a row has two of them there.
  return `:${tag}${property}:${value}`;
}

/** Without the marker that comes and goes. */
function countOf(rows: Frozen<unknown>): number {
  return rows.size - (rows.has(MARKERS.reread) ? 1 : 0);
}

function* keysOf({ rows, lists }: Indexed, tag: string): Generator<string> {
  const list = lists.get(tag);
  if (list !== undefined) yield* list;
  else for (const key of rows.keys()) if (key.startsWith(tag)) yield key;
}

function correct(
  { indexes, sizes, lists }: Indexed,
  key: string,
  before: unknown,
  after: unknown,
  inBulk: boolean,
): void {
  if (before === after) return;
  const tag = tagOf(key);
  const delta = (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  if (delta !== 0) sizes.set(tag, (sizes.get(tag) ?? 0) + delta);
  if (delta > 0) lists.get(tag)?.add(key);
  else if (delta < 0) lists.get(tag)?.delete(key);
  for (const index of indexes.get(tag) ?? []) {
    const [old, value] = [index.valueOf(before), index.valueOf(after)];
    if (old === value) continue;
    if (old !== undefined) index.remove(old, key);
    if (value !== undefined) index.add(value, key, inBulk);
  }
}

/** Collects what differs between what was shown and what will be. */
class Difference {
  readonly touched: Set<string> | undefined;
  added: string[] = [];
  updated: string[] = [];
  removed: string[] = [];

  constructor(touched: Set<string> | undefined) {
    this.touched = touched;
  }

  /** What is known of these keys is out of date. */
  forget(keys: ReadonlySet<string>): void {
    if (keys.size === 0) return;
    const others = (key: string): boolean => !keys.has(key);
    this.added = this.added.filter(others);
    this.updated = this.updated.filter(others);
    this.removed = this.removed.filter(others);
  }

  add({ indexes }: Indexed, key: string, before: unknown, after: unknown): void {
    const tag = tagOf(key);
    if (before === after || tag === '') return;
    if (before === undefined) this.added.push(key);
    else if (after === undefined) this.removed.push(key);
    else this.updated.push(key);
    if (this.touched === undefined) return;
    this.touched.add(key);
    for (const index of indexes.get(tag) ?? []) {
      for (const value of [index.valueOf(before), index.valueOf(after)]) {
        if (value !== undefined) this.touched.add(bucketName(tag, index.property, value));
      }
    }
  }
}
