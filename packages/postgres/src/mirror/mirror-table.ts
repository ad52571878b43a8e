/** The rows of one table of a mirror, by their keys. */
import type { CacheChange, CacheStatus, Frozen, SnapshotOptions } from 'evercache';
import { type Found, MirrorFace } from './face.ts';
import type { MirrorCore } from './mirror-core.ts';
import type { ResolvedTable } from './mirror-options.ts';
import type { Shown } from './tables.ts';

export class MirrorTable<Row> extends MirrorFace<Row> {
  readonly #table: ResolvedTable;

  /** @internal */
  constructor(core: MirrorCore, table: ResolvedTable) {
    super(`${core.cache.name}.${table.name}`, core);
    this.#table = table;
    core.cache.on('quarantine', ({ key, message }) => {
      if (key.startsWith(table.tag)) this.events.emit('quarantine', { key: key.slice(table.tag.length), message });
    });
  }

  get size(): number {
    return this.core.tables.isOpen ? this.core.tables.size(this.#table) : 0;
  }

  *keys(): Generator<string> {
    for (const key of this.core.tables.keys(this.#table)) yield key.slice(this.#table.tag.length);
  }

  snapshot(options?: SnapshotOptions): Frozen<Row> {
    const { cache, invalid } = this.core;
    const { tag } = this.#table;
    const hidden = new Set([...invalid.keys()].filter((key) => key.startsWith(tag) && cache.has(key)));
    return new TableSnapshot<Row>(cache.snapshot(options) as Frozen<Row>, tag, this.size - hidden.size, hidden);
  }

  protected rowKey(key: string): string {
    return this.#table.tag + key;
  }

  protected find(key: string): Found<Row> | undefined {
    const value = this.core.tables.row(this.rowKey(key));
    return value === undefined ? undefined : { value: value as Row };
  }

  protected invalidKey(key: string): string {
    return this.rowKey(key);
  }

  protected inputs(): Iterable<string> {
    return [];
  }

  forget(): void {}

  protected refused(): CacheStatus['quarantine'] {
    const { tag } = this.#table;
    const rows = this.core.cache.status().quarantine.filter(({ key }) => key.startsWith(tag));
    return rows.map((row) => ({ ...row, key: row.key.slice(tag.length) }));
  }

  note(): void {}

  readAgain(): void {}

  protected changesOf({ added, updated, removed }: Shown): Omit<CacheChange, 'generation'> {
    const { tag } = this.#table;
    const own = (keys: readonly string[]): string[] =>
      keys.filter((key) => key.startsWith(tag)).map((key) => key.slice(tag.length));
    return { added: own(added), updated: own(updated), removed: own(removed) };
  }
}

/** The rows of one table in a snapshot of all. */
class TableSnapshot<Row> implements Frozen<Row> {
  readonly size: number;
  readonly #all: Frozen<Row>;
  readonly #tag: string;
  /** Keys that were invalidated. */
  readonly #hidden: ReadonlySet<string>;

  constructor(all: Frozen<Row>, tag: string, size: number, hidden: ReadonlySet<string>) {
    this.#all = all;
    this.#tag = tag;
    this.size = size;
    this.#hidden = hidden;
  }

  get generation(): number {
    return this.#all.generation;
  }

  get(key: string): Row | undefined {
    const row = this.#all.get(this.#tag + key);
    return this.#hidden.has(this.#tag + key) ? undefined : row;
  }

  getMany(keys: readonly string[]): (Row | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *keys(): Generator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *entries(): Generator<[string, Row]> {
    for (const [key, row] of this.#all.entries())
      if (key.startsWith(this.#tag) && !this.#hidden.has(key)) yield [key.slice(this.#tag.length), row];
  }

  close(): void {
    this.#all.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
