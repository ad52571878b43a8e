/**
 * What the cache underneath is given: the source of the rows, perhaps with a policy around it. On their way from there
 * the rows are sent to the schemas of their tables: what a policy keeps is what the database has said, no more.
 */
import type { Delta, Entries, FetchContext, Saved, SetPart, Snapshot, Source } from 'evercache';
import { type ResolvedTable, tagOf } from './mirror-options.ts';
import { Unchecked } from './unchecked.ts';

type Method<Name extends keyof Source<unknown>> = NonNullable<Source<unknown>[Name]>;

export class CacheSource implements Source<unknown> {
  readonly breakerKey: unknown;
  readonly fetchChanges: Method<'fetchChanges'>;
  readonly watch?: Method<'watch'>;
  readonly restore?: Method<'restore'>;
  readonly invalidated?: Method<'invalidated'>;
  readonly stopped?: Method<'stopped'>;
  readonly #source: Source<unknown>;
  /** By the tag of their table; `undefined`: no table has one. */
  readonly #schemas: ReadonlyMap<string, ResolvedTable['schema']> | undefined;

  constructor(source: Source<unknown>, tables: readonly ResolvedTable[]) {
    this.#source = source;
    const hasSchemas = tables.some(({ schema }) => schema !== undefined);
    this.#schemas = hasSchemas ? new Map(tables.map(({ tag, schema }) => [tag, schema])) : undefined;
    this.breakerKey = source.breakerKey;
    this.fetchChanges = async (since, context) => this.#delta(await source.fetchChanges!(since, context));
    if (source.watch) this.watch = (nudge, context) => source.watch!(nudge, context);
    if (source.restore) this.restore = async (context) => this.#saved(await source.restore!(context));
    // What is invalidated here is the marker that stands for rows and values by other names: whoever would keep these has
    // to forget everything. All of it is read again at once anyway.
    if (source.invalidated) this.invalidated = () => source.invalidated!(undefined);
    if (source.stopped) this.stopped = () => source.stopped!();
  }

  async fetchAll(context: FetchContext): Promise<Snapshot<unknown>> {
    const answer = await this.#source.fetchAll!(context);
    return this.#snapshot(isBare(answer) ? { entries: answer } : answer);
  }

  partOf(key: string): SetPart {
    return this.#source.partOf!(key);
  }

  status(): Record<string, unknown> {
    return this.#source.status?.() ?? {};
  }

  #saved(saved: Saved<unknown> | undefined): Saved<unknown> | undefined {
    return saved && { ...this.#snapshot(saved), ...(saved.unknown && { unknown: saved.unknown }) };
  }

  #snapshot(snapshot: Snapshot<unknown>): Snapshot<unknown> {
    if (this.#schemas === undefined) return snapshot;
    return {
      entries: this.#unchecked(snapshot.entries),
      get cursor() {
        return snapshot.cursor;
      },
      get ageMs() {
        return snapshot.ageMs;
      },
      published: () => snapshot.published?.(),
    };
  }

  #delta(delta: Delta<unknown> | 'resync'): Delta<unknown> | 'resync' {
    if (delta === 'resync' || this.#schemas === undefined) return delta;
    return {
      upserts: this.#unchecked(delta.upserts),
      get deletes() {
        return delta.deletes;
      },
      get cursor() {
        return delta.cursor;
      },
      get ageMs() {
        return delta.ageMs;
      },
      published: () => delta.published?.(),
    };
  }

  async *#unchecked(entries: Entries<unknown>): AsyncGenerator<readonly [string, unknown]> {
    for await (const [key, row] of entries) yield [key, new Unchecked(this.#schemas?.get(tagOf(key)), row)];
  }
}

function isBare(answer: Entries<unknown> | Snapshot<unknown>): answer is Entries<unknown> {
  return Symbol.iterator in answer || Symbol.asyncIterator in answer;
}
