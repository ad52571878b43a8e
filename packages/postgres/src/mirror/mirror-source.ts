/** Several tables as one source: all of them as of one moment, and what has changed in any of them by one statement. */
import type { Cursor, Delta, FetchContext, SetPart, Source } from 'evercache';
import { fetchBatches } from '../cursor-batches.ts';
import type { Lease } from '../database.ts';
import { Follower } from '../following/follower.ts';
import { textsOf } from '../following/tiers.ts';
import { noteKeys, type Trail } from '../following/trail.ts';
import { type Push, pushFor } from '../push/push.ts';
import { RowMemory } from '../row-memory.ts';
import { rowReader } from '../rows.ts';
import type { PostgresSnapshot } from '../source.ts';
import { declareStatement, PLAN_FOR_ALL_ROWS, SEES_EMPTIED_TABLE } from '../statements.ts';
import { Scanner } from '../xmin/scanner.ts';
import { TablesToScan } from '../xmin/tables.ts';
import { type ResolvedMirror, tagOf } from './mirror-options.ts';
import { type TableReader, TableReaders } from './table-reader.ts';

/** Rows that every snapshot has, and that say what is in memory: see `Tables`. */
export const MARKERS = { loaded: '', reread: '.' } as const;

export class MirrorSource implements Source<unknown> {
  readonly breakerKey: unknown;
  readonly watch?: NonNullable<Push['watch']>;
  readonly #mirror: ResolvedMirror;
  readonly #readers: TableReaders;
  readonly #trail: Trail;
  readonly #sizeOf: (tag: string) => number;
  readonly #memory = new RowMemory();
  readonly #push: Push | undefined;

  /** `sizeOf`: how many rows of a table can be read, by its tag. */
  constructor(mirror: ResolvedMirror, sizeOf: (tag: string) => number) {
    this.#mirror = mirror;
    this.#sizeOf = sizeOf;
    this.#readers = new TableReaders(mirror);
    this.#trail = this.#trailOf(mirror);
    this.breakerKey = mirror.client;
    this.#push = mirror.push && pushFor(mirror.client, mirror.push, this.#trail);
    if (this.#push?.watch !== undefined) this.watch = this.#push.watch;
  }

  /** Each table is judged by itself: one that is suddenly empty is no small part of a large mirror. */
  partOf(key: string): SetPart {
    const name = tagOf(key);
    return { name, size: this.#sizeOf(name) };
  }

  status(): Record<string, unknown> {
    return { ...this.#trail.status(), ...(this.#push === undefined ? {} : { push: this.#push.status() }) };
  }

  async fetchAll({ signal }: FetchContext): Promise<PostgresSnapshot<unknown>> {
    let cursor: Cursor;
    const entries = this.#readAll(signal, (position) => {
      cursor = position;
    });
    return {
      entries,
      get cursor() {
        return cursor;
      },
    };
  }

  fetchChanges(since: Cursor, { signal }: FetchContext): Promise<Delta<unknown> | 'resync'> {
    return this.#trail.changesSince(since, signal);
  }

  async *#readAll(signal: AbortSignal, at: (position: Cursor) => void): AsyncGenerator<readonly [string, unknown]> {
    const { lease, readers } = await this.#begin(signal);
    try {
      const start = await this.#trail.positionOf(lease, readers);
      at(start?.cursor);
      if (start !== undefined) this.#push?.resume();
      const reading = this.#memory.readAll(start !== undefined);
      for (const marker of Object.values(MARKERS)) yield [marker, true];
      for (const reader of readers) {
        const { options, shape } = reader;
        const rows = rowReader(options, reading.recall);
        await lease.run(declareStatement(options, shape));
        for await (const batch of fetchBatches(lease)) {
          noteKeys(start, batch);
          yield* rows.take(batch);
        }
      }
      reading.end();
    } finally {
      await lease.end();
    }
  }

  /** A transaction that sees all tables as of one moment. */
  async #begin(signal: AbortSignal): Promise<{ lease: Lease; readers: readonly TableReader[] }> {
    for (;;) {
      const { database, fullLoads } = this.#mirror;
      const open = (): Promise<Lease> => database.lease({ signal, snapshot: true });
      const lease = fullLoads === undefined ? await open() : await fullLoads.enter(open, signal);
      try {
        await lease.run(PLAN_FOR_ALL_ROWS);
        const readers = await this.#readers.readBy(lease);
        const { rows } = await lease.run(SEES_EMPTIED_TABLE);
        if (rows[0]?.[0] !== 'true') return { lease, readers };
      } catch (error) {
        await lease.end();
        throw error;
      }
      await lease.end();
    }
  }

  #trailOf({ client, database, tables, followBy }: ResolvedMirror): Trail {
    const texts = textsOf(followBy, 'the tables');
    const readers = async (signal: AbortSignal): Promise<readonly TableReader[]> =>
      this.#readers.latest ?? (await this.#readers.readAlone(signal));
    if (followBy === 'xmin') {
      const named = tables.map(({ table, key }) => ({ name: table, key }));
      return new Scanner({ database, tables: new TablesToScan(client, named), readers, texts });
    }
    const follow = tables.map(({ table }) => ({ name: table, keys: 'key' as const }));
    return new Follower({ database, follow, readers, texts });
  }
}
