/**
 * Goes on from a position in the change log, for one SELECT or for several that are read together: where a snapshot
 * stands, and what was touched since.
 */
import type { Cursor, Delta } from 'evercache';
import type { Answer, Database, Lease, Statement } from '../database.ts';
import { PostgresError } from '../errors.ts';
import { rowReader, rowsOfKeys } from '../rows.ts';
import { refusesStatement } from '../sqlstate.ts';
import { breakBetween, cursorOf, reachesBackTo, readCursor } from './cursor.ts';
import type { FollowedTable } from './follow-options.ts';
import { FollowingStatus } from './following-status.ts';
import { type DeltaRequest, glanceStatement, MOST_KEYS, toGlance } from './glance.ts';
import { type Installation, lookAtInstallation } from './installation.ts';
import { LargeDelta } from './large-delta.ts';
import type { Reader } from './reader.ts';
import { Upkeep } from './upkeep.ts';

interface FollowerOptions {
  readonly database: Database;
  /** All tables that the readers follow, in the order in which the readers name them. */
  readonly follow: readonly FollowedTable[];
  /** The readers as they were last, if they were made before; asked of the database otherwise. */
  readonly readers: (signal: AbortSignal) => Promise<readonly Reader[]>;
  /** Whether more speaks against following than what the log itself says. */
  readonly look?: (lease: Lease, tables: readonly string[]) => Promise<Installation>;
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #status: FollowingStatus;
  readonly #upkeep: Upkeep;
  /** The names of the tables as the log has them; `undefined`: the log cannot be followed, as far as we know. */
  #tables: readonly string[] | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#status = new FollowingStatus(options.database.kind);
    this.#upkeep = new Upkeep(options.database, this.#status);
  }

  status(): Record<string, unknown> {
    return this.#status.toJSON();
  }

  /** Where the snapshot of this transaction stands; `undefined`: there is nothing to go on from. */
  async positionOf(lease: Lease, readers: readonly Reader[]): Promise<Cursor> {
    const tables = await this.#look(lease);
    if (tables === undefined) return undefined;
    const glance = toGlance(await lease.run(glanceStatement({ readers, tables, since: undefined })));
    this.#status.glanced(glance);
    if (reachesBackTo(glance.snapshot, glance)) return cursorOf(readers, glance);
    this.#status.found({ missing: 'the change log begins later than the oldest transaction that is still open' });
    this.#upkeep.whenDue(glance.standby);
    return undefined;
  }

  async changesSince(since: Cursor, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const position = readCursor(since);
    if (position === undefined) return this.#status.resync('the position is not one of ours');
    try {
      const readers = await this.#options.readers(signal);
      const tables = this.#tables ?? (await this.#lookAlone(signal));
      if (tables === undefined) return this.#status.resync('the change log cannot be followed');
      return await this.#changes({ readers, tables, since: position }, signal);
    } catch (error) {
      // A table, a column or the log itself is not what it was. Reading everything finds out, and fails where it must.
      if (!(error instanceof PostgresError && refusesStatement(error.sqlstate))) throw error;
      return this.#status.resync(error.message);
    }
  }

  async #changes(request: DeltaRequest, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const answer = await this.#runAlone(glanceStatement(request), signal);
    const glance = toGlance(answer);
    this.#status.glanced(glance);
    this.#upkeep.whenDue(glance.standby);
    const { readers } = request;
    const broken = breakBetween(request.since, glance, readers);
    if (broken !== undefined) return this.#status.resync(broken);
    if (glance.touched > MOST_KEYS) return new LargeDelta(request, signal);
    // Keys that were touched and had no row so far: as its rows are read, so that parsing them is done in slices.
    const gone = new Set(glance.keys);
    return { upserts: entriesOf(readers, answer, gone), deletes: gone, cursor: cursorOf(readers, glance) };
  }

  async #look(lease: Lease): Promise<readonly string[] | undefined> {
    const { follow, look } = this.#options;
    let installation = await lookAtInstallation(lease, follow);
    if ('tables' in installation && look !== undefined) installation = await look(lease, installation.tables);
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

/** The first row of the answer is what was seen; the rows of a reader are next to each other. */
function* entriesOf(
  readers: readonly Reader[],
  { rows }: Answer,
  gone: Set<string>,
): Generator<readonly [string, unknown]> {
  const touched = new Set(gone);
  for (const { options, tag } of readers) {
    const reader = rowReader(options);
    const found = rowsOfKeys(rows.slice(1), touched);
    const own = readers.length === 1 ? found : found.filter(([key]) => key!.startsWith(tag));
    for (const entry of reader.take(own)) {
      gone.delete(entry[0]);
      yield entry;
    }
    for (const entry of reader.finish()) {
      gone.delete(entry[0]);
      yield entry;
    }
  }
}
