/** A source that goes on from a snapshot: a refresh reads the rows of the keys that were touched. */
import type { Cursor, Delta, FetchContext } from 'evercache';
import type { FollowedTable } from './following/follow-options.ts';
import { Follower } from './following/follower.ts';
import { type Reader, readerOf } from './following/reader.ts';
import { textsOf } from './following/tiers.ts';
import type { Trail } from './following/trail.ts';
import type { ResolvedOptions } from './options.ts';
import { type Push, pushFor } from './push/push.ts';
import type { Shape } from './shape.ts';
import { SnapshotSource } from './snapshot-source.ts';
import type { FollowingPostgresSource, PostgresSnapshot } from './source.ts';
import { Scanner } from './xmin/scanner.ts';
import { TablesToScan } from './xmin/tables.ts';

export class FollowingSource implements FollowingPostgresSource<unknown> {
  readonly breakerKey: unknown;
  readonly watch?: NonNullable<Push['watch']>;
  readonly #options: ResolvedOptions;
  readonly #follow: readonly FollowedTable[];
  readonly #rows: SnapshotSource;
  readonly #trail: Trail;
  readonly #push: Push | undefined;
  #readers: readonly Reader[] = [];

  constructor(options: ResolvedOptions, follow: readonly FollowedTable[]) {
    this.#options = options;
    this.#follow = follow;
    this.#rows = new SnapshotSource(options);
    const { client, database, followBy } = options;
    const texts = textsOf(followBy, 'the SELECT');
    const readers = async (signal: AbortSignal): Promise<readonly Reader[]> => {
      const { shapes } = this.#rows;
      return this.#readersFor(shapes.latest ?? (await shapes.read(database, signal)));
    };
    this.#trail =
      followBy === 'log'
        ? new Follower({ database, follow, readers, texts })
        : new Scanner({ database, tables: new TablesToScan(client, follow), readers, texts });
    this.breakerKey = options.client;
    this.#push = options.push && pushFor(options.client, options.push, this.#trail);
    if (this.#push?.watch !== undefined) this.watch = this.#push.watch;
  }

  status(): Record<string, unknown> {
    return { ...this.#trail.status(), ...(this.#push === undefined ? {} : { push: this.#push.status() }) };
  }

  async fetchOne(key: string, context: FetchContext): Promise<unknown> {
    return (await this.fetchMany([key], context)).get(key);
  }

  async fetchMany(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, unknown>> {
    const found = await this.#rows.fetchMany(keys, context);
    this.#trail.met?.(found.keys());
    return found;
  }

  async fetchAll({ signal }: FetchContext): Promise<PostgresSnapshot<unknown>> {
    let cursor: Cursor;
    const entries = this.#rows.readAll(signal, async (lease, shape) => {
      const start = await this.#trail.positionOf(lease, this.#readersFor(shape));
      cursor = start?.cursor;
      if (start !== undefined) this.#push?.resume();
      return start;
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

  /** The same ones as long as the columns are. */
  #readersFor(shape: Shape): readonly Reader[] {
    if (this.#readers[0]?.shape !== shape) this.#readers = [readerOf(this.#options, this.#follow, shape)];
    return this.#readers;
  }
}
