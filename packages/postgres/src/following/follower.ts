/**
 * Goes on from a position in the change log, for one SELECT or for several that are read together: where a snapshot
 * stands, and what was touched since.
 */
import type { Cursor, Delta } from 'evercache';
import { alone } from '../alone.ts';
import type { Database, Lease } from '../database.ts';
import { PostgresError } from '../errors.ts';
import { refusesStatement } from '../sqlstate.ts';
import { entriesOf, MOST_KEYS } from './answer.ts';
import { breakBetween, cursorOf, reachesBackTo, readCursor } from './cursor.ts';
import type { FollowedTable } from './follow-options.ts';
import { FollowingStatus } from './following-status.ts';
import { type DeltaRequest, glanceStatement, toGlance } from './glance.ts';
import { lookAtInstallation } from './installation.ts';
import { LargeDelta } from './large-delta.ts';
import { LoggedKeys } from './logged-keys.ts';
import type { Reader } from './reader.ts';
import type { TierTexts } from './tiers.ts';
import type { Start, Trail } from './trail.ts';
import { Upkeep } from './upkeep.ts';

interface FollowerOptions {
  readonly database: Database;
  /** All tables that the readers follow, in the order in which the readers name them. */
  readonly follow: readonly FollowedTable[];
  /** The readers as they were last, if they were made before; asked of the database otherwise. */
  readonly readers: (signal: AbortSignal) => Promise<readonly Reader[]>;
  readonly texts: TierTexts;
}

export class Follower implements Trail {
  readonly #options: FollowerOptions;
  readonly #status: FollowingStatus;
  readonly #upkeep: Upkeep;
  readonly #keys = new LoggedKeys();
  /** The names of the tables as the log has them; `undefined`: the log cannot be followed, as far as we know. */
  #tables: readonly string[] | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#status = new FollowingStatus(options.database.kind, options.texts);
    this.#upkeep = new Upkeep(options.database, this.#status);
  }

  get mayFollow(): boolean {
    return this.#status.mayFollow;
  }

  status(): Record<string, unknown> {
    return this.#status.toJSON();
  }

  async positionOf(lease: Lease, readers: readonly Reader[]): Promise<Start | undefined> {
    const tables = await this.#look(lease, readers);
    if (tables === undefined) return undefined;
    const glance = toGlance(await lease.run(glanceStatement({ readers, tables, since: undefined })));
    this.#status.glanced(glance);
    if (reachesBackTo(glance.snapshot, glance)) return { cursor: cursorOf(readers, glance) };
    this.#status.found({ missing: 'the change log begins later than the oldest transaction that is still open' });
    this.#upkeep.whenDue(glance.standby);
    return undefined;
  }

  async changesSince(since: Cursor, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const position = readCursor(since);
    if (position === undefined) return this.#status.resync('the position is not one of ours');
    const { database } = this.#options;
    try {
      const readers = await this.#options.readers(signal);
      const tables = this.#tables ?? (await alone(database, signal, (lease) => this.#look(lease, readers)));
      if (tables === undefined) return this.#status.resync('the change log cannot be followed');
      return await this.#changes({ readers, tables, since: position }, signal);
    } catch (error) {
      // A table, a column or the log itself is not what it was. Reading everything finds out, and fails where it must.
      if (!(error instanceof PostgresError && refusesStatement(error.sqlstate))) throw error;
      return this.#status.resync(error.message);
    }
  }

  async #changes(request: DeltaRequest, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const answer = await alone(this.#options.database, signal, (lease) => lease.run(glanceStatement(request)));
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

  async #look(lease: Lease, readers: readonly Reader[]): Promise<readonly string[] | undefined> {
    const installation = await lookAtInstallation(lease, this.#options.follow);
    const tables = 'tables' in installation ? installation.tables : undefined;
    const missing = tables && (await this.#keys.differenceBy(lease, tables, readers));
    this.#status.found(missing === undefined ? installation : { missing });
    this.#tables = missing === undefined ? tables : undefined;
    // A log that cannot be followed is written to all the same, and there will be no deltas.
    const { standby } = installation;
    if (this.#tables === undefined && standby !== undefined) this.#upkeep.whenDue(standby);
    return this.#tables;
  }
}
