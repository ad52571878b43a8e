/** The second tier: a refresh reads the rows of the keys that the change log says were touched. */
import type { Cursor, Delta, FetchContext } from 'evercache';
import type { Answer, Lease, Statement } from '../database.ts';
import { PostgresError } from '../errors.ts';
import type { ResolvedOptions } from '../options.ts';
import { type Push, pushFor } from '../push/push.ts';
import { rowReader, rowsOfKeys } from '../rows.ts';
import type { Shape } from '../shape.ts';
import { SnapshotSource } from '../snapshot-source.ts';
import type { FollowingPostgresSource, PostgresSnapshot } from '../source.ts';
import { refusesStatement } from '../sqlstate.ts';
import { breakBetween, cursorOf, reachesBackTo, readCursor } from './cursor.ts';
import type { FollowedTable } from './follow-options.ts';
import { FollowingStatus } from './following-status.ts';
import { type DeltaRequest, glanceStatement, MOST_KEYS, toGlance } from './glance.ts';
import { lookAtInstallation } from './installation.ts';
import { LargeDelta } from './large-delta.ts';
import { Upkeep } from './upkeep.ts';

export class FollowingSource implements FollowingPostgresSource<unknown> {
  readonly breakerKey: unknown;
  readonly watch?: NonNullable<Push['watch']>;
  readonly #options: ResolvedOptions;
  readonly #follow: readonly FollowedTable[];
  readonly #rows: SnapshotSource;
  readonly #status: FollowingStatus;
  readonly #upkeep: Upkeep;
  readonly #push: Push | undefined;
  /** The names of the tables as the log has them; `undefined`: the log cannot be followed, as far as we know. */
  #tables: readonly string[] | undefined;

  constructor(options: ResolvedOptions, follow: readonly FollowedTable[]) {
    this.#options = options;
    this.#follow = follow;
    this.#rows = new SnapshotSource(options);
    this.#status = new FollowingStatus(options.database.kind);
    this.#upkeep = new Upkeep(options.database, this.#status);
    this.breakerKey = options.client;
    this.#push = options.push && pushFor(options.client, options.push);
    if (this.#push?.watch !== undefined) this.watch = this.#push.watch;
  }

  status(): Record<string, unknown> {
    return { ...this.#status.toJSON(), ...(this.#push === undefined ? {} : { push: this.#push.status() }) };
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
      cursor = await this.#positionOf(lease, shape);
    });
    return {
      entries,
      get cursor() {
        return cursor;
      },
    };
  }

  async fetchChanges(since: Cursor, { signal }: FetchContext): Promise<Delta<unknown> | 'resync'> {
    const position = readCursor(since);
    if (position === undefined) return this.#status.resync('the position is not one of ours');
    try {
      const tables = this.#tables ?? (await this.#lookAlone(signal));
      if (tables === undefined) return this.#status.resync('the change log cannot be followed');
      const shape = this.#rows.shapes.latest ?? (await this.#rows.shapes.read(this.#options.database, signal));
      return await this.#changes({ ...this.#asked(shape, tables), since: position }, signal);
    } catch (error) {
      // A table, a column or the log itself is not what it was. Reading everything finds out, and fails where it must.
      if (!(error instanceof PostgresError && refusesStatement(error.sqlstate))) throw error;
      return this.#status.resync(error.message);
    }
  }

  /** Where the snapshot of this transaction stands; `undefined`: there is nothing to go on from. */
  async #positionOf(lease: Lease, shape: Shape): Promise<Cursor> {
    const tables = await this.#look(lease);
    if (tables === undefined) return undefined;
    const glance = toGlance(await lease.run(glanceStatement({ ...this.#asked(shape, tables), since: undefined })));
    this.#status.glanced(glance);
    if (reachesBackTo(glance.snapshot, glance)) return cursorOf(this.#options, glance);
    this.#status.found({ missing: 'the change log begins later than the oldest transaction that is still open' });
    this.#upkeep.whenDue(glance.standby);
    return undefined;
  }

  async #changes(request: DeltaRequest, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const answer = await this.#runAlone(glanceStatement(request), signal);
    const glance = toGlance(answer);
    this.#status.glanced(glance);
    this.#upkeep.whenDue(glance.standby);
    const broken = breakBetween(request.since, glance, this.#options);
    if (broken !== undefined) return this.#status.resync(broken);
    if (glance.touched > MOST_KEYS) return new LargeDelta(request, signal);
    const gone = new Set(glance.keys);
    const reader = rowReader(this.#options);
    const upserts = new Map([...reader.take(rowsOfKeys(answer.rows.slice(1), gone)), ...reader.finish()]);
    for (const key of upserts.keys()) gone.delete(key);
    return { upserts, deletes: gone, cursor: cursorOf(this.#options, glance) };
  }

  #asked(shape: Shape, tables: readonly string[]): Omit<DeltaRequest, 'since'> {
    return { options: this.#options, follow: this.#follow, shape, tables };
  }

  async #look(lease: Lease): Promise<readonly string[] | undefined> {
    const installation = await lookAtInstallation(lease, this.#follow);
    this.#status.found(installation);
    this.#tables = 'tables' in installation ? installation.tables : undefined;
    return this.#tables;
  }

  async #lookAlone(signal: AbortSignal): Promise<readonly string[] | undefined> {
    const lease = await this.#options.database.lease({ signal, snapshot: false });
    try {
      return await this.#look(lease);
    } finally {
      void lease.end();
    }
  }

  async #runAlone(statement: Statement, signal: AbortSignal): Promise<Answer> {
    const lease = await this.#options.database.lease({ signal, snapshot: false });
    try {
      return await lease.run(statement);
    } finally {
      void lease.end();
    }
  }
}
