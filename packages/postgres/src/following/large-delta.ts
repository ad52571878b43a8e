/**
 * More changed keys than one answer should hold: they are read by cursor, in one transaction that sees one moment, when
 * the reader asks for them. What goes on from there is known at the end.
 */
import type { Cursor, Delta } from 'evercache';
import { fetchBatches } from '../cursor-batches.ts';
import type { Lease } from '../database.ts';
import { badResult } from '../errors.ts';
import { rowReader, rowsOfKeys } from '../rows.ts';
import { cursorFor, keysStatement, PLAN_FOR_ALL_ROWS } from '../statements.ts';
import { breakBetween, cursorOf } from './cursor.ts';
import { type DeltaRequest, glanceStatement, toGlance, touchedStatement } from './glance.ts';

export class LargeDelta implements Delta<unknown> {
  readonly upserts: AsyncIterable<readonly [string, unknown]>;
  readonly #request: DeltaRequest;
  readonly #signal: AbortSignal;
  /** Keys that were touched and had no row so far. */
  readonly #gone = new Set<string>();
  #cursor: Cursor;

  constructor(request: DeltaRequest, signal: AbortSignal) {
    this.#request = request;
    this.#signal = signal;
    this.upserts = this.#read();
  }

  get deletes(): Iterable<string> {
    return this.#gone;
  }

  get cursor(): Cursor {
    return this.#cursor;
  }

  async *#read(): AsyncGenerator<readonly [string, unknown]> {
    const { options, since } = this.#request;
    const lease = await options.database.lease({ signal: this.#signal, snapshot: true });
    try {
      // A later snapshot than the one that found the keys too many: everything is looked at once more.
      const glance = toGlance(await lease.run(glanceStatement(this.#request)));
      const broken = breakBetween(since, glance, options);
      if (broken !== undefined) throw badResult(`the changes cannot be read any more: ${broken}`);
      await lease.run(PLAN_FOR_ALL_ROWS);
      await lease.run(cursorFor(touchedStatement(this.#request)));
      for await (const keys of fetchBatches(lease)) {
        for (const [key] of keys) this.#gone.add(key!);
      }
      yield* this.#rowsOf(lease);
      this.#cursor = cursorOf(options, glance);
    } finally {
      await lease.end();
    }
  }

  async *#rowsOf(lease: Lease): AsyncGenerator<readonly [string, unknown]> {
    const { options, shape } = this.#request;
    const statement = keysStatement(options, shape, this.#gone);
    if (statement === undefined) return;
    const touched = new Set(this.#gone);
    const reader = rowReader(options);
    await lease.run(cursorFor(statement));
    for await (const rows of fetchBatches(lease)) {
      for (const entry of reader.take(rowsOfKeys(rows, touched))) yield this.#found(entry);
    }
    for (const entry of reader.finish()) yield this.#found(entry);
  }

  #found(entry: readonly [string, unknown]): readonly [string, unknown] {
    this.#gone.delete(entry[0]);
    return entry;
  }
}
