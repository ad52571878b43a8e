/**
 * Goes on from a position by scanning the tables themselves: where a snapshot stands, which rows were written since, and
 * which are gone. Needs nothing to be installed, and sees what is written past all triggers.
 */
import type { Cursor, Delta } from 'evercache';
import { alone } from '../alone.ts';
import type { Answer, Database, Lease } from '../database.ts';
import { PostgresError } from '../errors.ts';
import { entriesOf, MOST_KEYS } from '../following/answer.ts';
import { breakInHistory, CHANGED, fingerprintOf, xmaxOf, xminOf } from '../following/cursor.ts';
import { FollowingStatus } from '../following/following-status.ts';
import { isOtherKey } from '../following/logged-keys.ts';
import type { Reader } from '../following/reader.ts';
import type { TierTexts } from '../following/tiers.ts';
import type { Start, Trail } from '../following/trail.ts';
import { refusesStatement } from '../sqlstate.ts';
import { MetKeys } from './met-keys.ts';
import { type KeyChanges, ScanPosition, type Total } from './position.ts';
import { agreesStatement, type ScanRequest, type Seen, scanStatement, toSeen } from './scan.ts';
import { ScanDelta } from './scan-delta.ts';
import type { ScannedTable, TablesToScan } from './tables.ts';
import { isWithinReach } from './xids.ts';

interface ScannerOptions {
  readonly database: Database;
  /** The table of each reader. */
  readonly tables: TablesToScan;
  /** The readers as they were last, if they were made before; asked of the database otherwise. */
  readonly readers: (signal: AbortSignal) => Promise<readonly Reader[]>;
  readonly texts: TierTexts;
}

type DeltaRequest = ScanRequest & { readonly since: ScanPosition };

export class Scanner implements Trail {
  readonly #options: ScannerOptions;
  readonly #status: FollowingStatus;
  readonly #met = new MetKeys();
  /** `undefined`: they cannot be scanned, as far as we know. */
  #tables: readonly ScannedTable[] | undefined;
  /** How often all keys were read and compared. */
  #reconciled = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
    this.#status = new FollowingStatus(options.database.kind, options.texts);
  }

  get mayFollow(): boolean {
    return this.#status.mayFollow;
  }

  status(): Record<string, unknown> {
    return { ...this.#status.toJSON(), reconciled: this.#reconciled };
  }

  met(keys: Iterable<string>): void {
    this.#met.add(keys);
  }

  async positionOf(lease: Lease, readers: readonly Reader[]): Promise<Start | undefined> {
    const start = await this.#begin(lease, readers);
    if (start === undefined) this.#met.lose();
    return start;
  }

  async changesSince(since: Cursor, signal: AbortSignal): Promise<Delta<unknown> | 'resync'> {
    const { database } = this.#options;
    if (!(since instanceof ScanPosition)) return this.#status.resync('the position is not one of ours');
    const known = await since.keys();
    if (known === undefined || !this.#met.areKnownSince(since.met)) {
      return this.#status.resync('the keys of the position are not known any more');
    }
    this.#met.forgetUntil(since.met);
    try {
      const readers = await this.#options.readers(signal);
      const tables = this.#tables ?? (await alone(database, signal, (lease) => this.#look(lease)));
      if (tables === undefined) return this.#status.resync('the tables cannot be scanned');
      return await this.#changes({ readers, tables, since }, known, signal);
    } catch (error) {
      // A table or a column is not what it was. Reading everything finds out, and fails where it must.
      if (!(error instanceof PostgresError && refusesStatement(error.sqlstate))) throw error;
      return this.#status.resync(error.message);
    }
  }

  async #begin(lease: Lease, readers: readonly Reader[]): Promise<Start | undefined> {
    const { now: met } = this.#met;
    const tables = await this.#look(lease);
    if (tables === undefined) return undefined;
    const request = { readers, tables, since: undefined };
    // Else what is written would be looked for under keys that nobody has.
    const agrees = (await lease.run(agreesStatement(request))).rows[0]!;
    const other = tables.findIndex(({ key }, index) => agrees[index] === 'false' || isOtherKey(readers[index]!, key));
    if (other !== -1) {
      this.#status.found({ missing: `the keys are not those of table ${tables[other]!.name}` });
      return undefined;
    }
    const seen = toSeen(await lease.run(scanStatement(request)));
    this.#status.glanced(seen);
    const { position, keys } = ScanPosition.first({ ...seen, fingerprint: fingerprintOf(readers, seen), met });
    return { cursor: position, keys };
  }

  async #changes(
    request: DeltaRequest,
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Delta<unknown> | 'resync'> {
    const { readers, since } = request;
    const [met, metUntil] = [[...this.#met.keys], this.#met.now];
    const answer = await alone(this.#options.database, signal, (lease) => lease.run(scanStatement(request)));
    const seen = toSeen(answer);
    this.#status.glanced(seen);
    const breakIn = (now: Seen): string | undefined => breakBetween(since, now, readers);
    const broken = breakIn(seen);
    if (broken !== undefined) return this.#status.resync(broken);
    const positionOf = (now: Seen, changes: KeyChanges): ScanPosition =>
      since.next({ ...now, fingerprint: since.fingerprint, met: metUntil }, changes);
    if (seen.touched <= MOST_KEYS) {
      const present = presentIn(answer, seen);
      const changes = changesIn(seen, present, known);
      if (isExpected(since.total, changes, seen)) {
        const gone = new Set([...seen.keys.map(([key]) => key), ...met.filter((key) => !known.has(key))]);
        return { upserts: entriesOf(readers, answer, gone), deletes: gone, cursor: positionOf(seen, changes) };
      }
    }
    this.#reconciled += 1;
    return new ScanDelta({ request, known, met, breakIn, positionOf }, signal);
  }

  async #look(lease: Lease): Promise<readonly ScannedTable[] | undefined> {
    const found = await this.#options.tables.lookBy(lease);
    this.#status.found('tables' in found ? { tables: found.tables.map(({ name }) => name) } : found);
    this.#tables = 'tables' in found ? found.tables : undefined;
    return this.#tables;
  }
}

function breakBetween(since: ScanPosition, now: Seen, readers: readonly Reader[]): string | undefined {
  const broken = breakInHistory(since, now);
  if (broken !== undefined) return broken;
  if (fingerprintOf(readers, now) !== since.fingerprint) return CHANGED;
  if (!isWithinReach(xminOf(since.snapshot), xmaxOf(now.snapshot)))
    return 'the position is a billion transactions back';
  return undefined;
}

/** Those of the touched keys that have a row. */
function presentIn({ rows }: Answer, { keys }: Seen): ReadonlySet<string> {
  const found = new Set(rows.slice(1).map(([key]) => key));
  return new Set(keys.map(([key]) => key).filter((key) => found.has(key)));
}

/** As far as the touched keys tell. */
function changesIn({ keys }: Seen, present: ReadonlySet<string>, known: ReadonlySet<string>): KeyChanges {
  const touched = keys.map(([key]) => key);
  return {
    added: touched.filter((key) => present.has(key) && !known.has(key)),
    removed: touched.filter((key) => !present.has(key) && known.has(key)),
  };
}

/**
 * Whether these changes make the keys that were there the keys that are there. All rows that are new were written, so only
 * deleted ones can be missing from the changes; but what a SELECT makes of its tables may come and go without.
 */
function isExpected(before: Total, { added, removed }: KeyChanges, { keys, total }: Seen): boolean {
  const hashes = new Map(keys);
  const hash = [...added, ...removed].reduce((all, key) => all ^ BigInt(hashes.get(key)!), BigInt(before.hash));
  return before.count + added.length - removed.length === total.count && hash === BigInt(total.hash);
}
