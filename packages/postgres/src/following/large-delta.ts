/**
 * More changed keys than one answer should hold: they are read by cursor, in one transaction that sees one moment, when
 * the reader asks for them. What goes on from there is known at the end.
 */
import type { Cursor, Delta } from 'evercache';
import { badResult } from '../errors.ts';
import { PLAN_FOR_ALL_ROWS } from '../statements.ts';
import { breakBetween, cursorOf } from './cursor.ts';
import { type DeltaRequest, glanceStatement, toGlance, touchedStatement } from './glance.ts';
import { keysByCursor, rowsByCursor } from './rows-by-cursor.ts';

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
    const { readers, since } = this.#request;
    const lease = await readers[0]!.options.database.lease({ signal: this.#signal, snapshot: true });
    try {
      // A later snapshot than the one that found the keys too many: everything is looked at once more.
      const glance = toGlance(await lease.run(glanceStatement(this.#request)));
      const broken = breakBetween(since, glance, readers);
      if (broken !== undefined) throw badResult(`the changes cannot be read any more: ${broken}`);
      await lease.run(PLAN_FOR_ALL_ROWS);
      const touched = await keysByCursor(lease, touchedStatement(this.#request));
      for (const key of touched) this.#gone.add(key);
      for (const reader of readers) {
        for await (const entry of rowsByCursor(reader, lease, touched)) yield this.#found(entry);
      }
      this.#cursor = cursorOf(readers, glance);
    } finally {
      await lease.end();
    }
  }

  #found(entry: readonly [string, unknown]): readonly [string, unknown] {
    this.#gone.delete(entry[0]);
    return entry;
  }
}
