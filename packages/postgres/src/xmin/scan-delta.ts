/**
 * More than one answer should hold, or keys that are not those we would expect: in one transaction that sees one moment all
 * keys are read and compared with those that we know, and then the rows that were written or are not known.
 */
import type { Cursor, Delta } from 'evercache';
import { badResult } from '../errors.ts';
import { keysByCursor, rowsByCursor } from '../following/rows-by-cursor.ts';
import { Slice } from '../slice.ts';
import { PLAN_FOR_ALL_ROWS } from '../statements.ts';
import type { KeyChanges, ScanPosition } from './position.ts';
import { allKeysStatement, type ScanRequest, type Seen, scanStatement, toSeen, touchedStatement } from './scan.ts';

export interface ScanDeltaParts {
  readonly request: ScanRequest & { readonly since: ScanPosition };
  /** The keys at the position. */
  readonly known: ReadonlySet<string>;
  /** Others that the cache may hold. */
  readonly met: readonly string[];
  /** Why what was seen does not go on from the position. */
  readonly breakIn: (seen: Seen) => string | undefined;
  readonly positionOf: (seen: Seen, changes: KeyChanges) => ScanPosition;
}

export class ScanDelta implements Delta<unknown> {
  readonly upserts: AsyncIterable<readonly [string, unknown]>;
  readonly #parts: ScanDeltaParts;
  readonly #signal: AbortSignal;
  #deletes: readonly string[] = [];
  #cursor: Cursor;

  constructor(parts: ScanDeltaParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.upserts = this.#read();
  }

  get deletes(): Iterable<string> {
    return this.#deletes;
  }

  get cursor(): Cursor {
    return this.#cursor;
  }

  async *#read(): AsyncGenerator<readonly [string, unknown]> {
    const { request, known, breakIn, positionOf } = this.#parts;
    const { readers } = request;
    const lease = await readers[0]!.options.database.lease({ signal: this.#signal, snapshot: true });
    try {
      // A later snapshot than the one that gave rise to this: everything is looked at once more.
      const seen = toSeen(await lease.run(scanStatement(request)));
      const broken = breakIn(seen);
      if (broken !== undefined) throw badResult(`the changes cannot be read any more: ${broken}`);
      await lease.run(PLAN_FOR_ALL_ROWS);
      const touched = await keysByCursor(lease, touchedStatement(request));
      const present = await keysByCursor(lease, allKeysStatement(request));
      const changes = await this.#compare(present);
      for (const key of changes.added) touched.add(key);
      for (const reader of readers) yield* rowsByCursor(reader, lease, touched);
      this.#deletes = [...changes.removed, ...this.#parts.met.filter((key) => !known.has(key) && !present.has(key))];
      this.#cursor = positionOf(seen, changes);
    } finally {
      await lease.end();
    }
  }

  async #compare(present: ReadonlySet<string>): Promise<KeyChanges> {
    const { known } = this.#parts;
    const slice = new Slice();
    const [added, removed]: [string[], string[]] = [[], []];
    for (const key of present) {
      if (!known.has(key)) added.push(key);
      if (slice.isOver()) await slice.next();
    }
    for (const key of known) {
      if (!present.has(key)) removed.push(key);
      if (slice.isOver()) await slice.next();
    }
    return { added, removed };
  }
}
