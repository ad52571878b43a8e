/** The second tier: a refresh reads the rows of the keys that the change log says were touched. */
import type { Cursor, Delta, FetchContext } from 'evercache';
import type { ResolvedOptions } from '../options.ts';
import { type Push, pushFor } from '../push/push.ts';
import type { Shape } from '../shape.ts';
import { SnapshotSource } from '../snapshot-source.ts';
import type { FollowingPostgresSource, PostgresSnapshot } from '../source.ts';
import type { FollowedTable } from './follow-options.ts';
import { Follower } from './follower.ts';
import { type Reader, readerOf } from './reader.ts';

export class FollowingSource implements FollowingPostgresSource<unknown> {
  readonly breakerKey: unknown;
  readonly watch?: NonNullable<Push['watch']>;
  readonly #options: ResolvedOptions;
  readonly #follow: readonly FollowedTable[];
  readonly #rows: SnapshotSource;
  readonly #follower: Follower;
  readonly #push: Push | undefined;
  #readers: readonly Reader[] = [];

  constructor(options: ResolvedOptions, follow: readonly FollowedTable[]) {
    this.#options = options;
    this.#follow = follow;
    this.#rows = new SnapshotSource(options);
    this.#follower = new Follower({
      database: options.database,
      follow,
      readers: async (signal) => {
        const { shapes } = this.#rows;
        return this.#readersFor(shapes.latest ?? (await shapes.read(options.database, signal)));
      },
    });
    this.breakerKey = options.client;
    this.#push = options.push && pushFor(options.client, options.push);
    if (this.#push?.watch !== undefined) this.watch = this.#push.watch;
  }

  status(): Record<string, unknown> {
    return { ...this.#follower.status(), ...(this.#push === undefined ? {} : { push: this.#push.status() }) };
  }

  fetchOne(key: string, context: FetchContext): Promise<unknown> {
    return this.#rows.fetchOne(key, context);
  }

  fetchMany(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, unknown>> {
    return this.#rows.fetchMany(keys, context);
  }

  async fetchAll({ signal }: FetchContext): Promise<PostgresSnapshot<unknown>> {
    let cursor: Cursor;
    const entries = this.#rows.readAll(signal, async (lease, shape) => {
      cursor = await this.#follower.positionOf(lease, this.#readersFor(shape));
      return cursor !== undefined;
    });
    return {
      entries,
      get cursor() {
        return cursor;
      },
    };
  }

  fetchChanges(since: Cursor, { signal }: FetchContext): Promise<Delta<unknown> | 'resync'> {
    return this.#follower.changesSince(since, signal);
  }

  /** The same ones as long as the columns are. */
  #readersFor(shape: Shape): readonly Reader[] {
    if (this.#readers[0]?.shape !== shape) this.#readers = [readerOf(this.#options, this.#follow, shape)];
    return this.#readers;
  }
}
