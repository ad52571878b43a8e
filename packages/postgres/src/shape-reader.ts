/** Asks the database what the columns are, and remembers it for a while: a table may change under us. */
import { alone } from './alone.ts';
import type { Database, Lease } from './database.ts';
import type { ResolvedOptions } from './options.ts';
import { type Shape, toShape } from './shape.ts';
import { describeStatement } from './statements.ts';
import { TypeCatalog } from './type-catalog.ts';
import { abortable } from './waiting.ts';

/** A column added to a table is seen by reads of single keys after this time at the latest; by a snapshot at once. */
const MAX_AGE_MS = 60_000;

export class ShapeReader {
  readonly #options: ResolvedOptions;
  readonly #catalog = new TypeCatalog();
  #known: { readonly shape: Shape; readonly readAt: number } | undefined;
  #reading: { readonly shape: Promise<Shape>; readonly signal: AbortSignal } | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  /** What was read a moment ago. */
  get known(): Shape | undefined {
    const known = this.#known;
    return known !== undefined && performance.now() - known.readAt <= MAX_AGE_MS ? known.shape : undefined;
  }

  /** What was read last, however long ago: for statements that check the columns themselves. */
  get latest(): Shape | undefined {
    return this.#known?.shape;
  }

  /** Asks through this connection. */
  async readBy(lease: Lease): Promise<Shape> {
    const { rows, columns } = await lease.run(describeStatement(this.#options));
    const names = JSON.parse(rows[0]?.[0] ?? '[]') as string[];
    const found = columns.slice(1);
    const types = await this.#catalog.resolve(
      found.map(({ type }) => type),
      lease,
    );
    const described = found.map(({ origin }, index) => ({ name: names[index]!, type: types[index]!, origin }));
    const shape = toShape(described, this.#options);
    this.#known = { shape, readAt: performance.now() };
    return shape;
  }

  /** Asks once for all who want to know at the same time. */
  async read(database: Database, signal: AbortSignal): Promise<Shape> {
    for (;;) {
      this.#reading ??= { shape: this.#readAlone(database, signal), signal };
      const reading = this.#reading;
      try {
        return await abortable(reading.shape, signal);
      } catch (error) {
        // Somebody else asked, and has given up since: that is no answer for us.
        if (signal.aborted || !reading.signal.aborted) throw error;
      }
    }
  }

  async #readAlone(database: Database, signal: AbortSignal): Promise<Shape> {
    try {
      return await alone(database, signal, (lease) => this.readBy(lease));
    } finally {
      this.#reading = undefined;
    }
  }
}
