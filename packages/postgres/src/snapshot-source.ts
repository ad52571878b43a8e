/** The first tier: the whole SELECT by cursor, single keys by the same SELECT restricted. */
import type { FetchContext } from 'evercache';
import { alone } from './alone.ts';
import { fetchBatches } from './cursor-batches.ts';
import type { Lease } from './database.ts';
import { PostgresError } from './errors.ts';
import { limitsOfSnapshots } from './following/tiers.ts';
import { noteKeys, type Start } from './following/trail.ts';
import type { ResolvedOptions } from './options.ts';
import { RowMemory } from './row-memory.ts';
import { rowReader, rowsOfKeys } from './rows.ts';
import type { Shape } from './shape.ts';
import { ShapeReader } from './shape-reader.ts';
import type { PostgresSource } from './source.ts';
import { mayBeStaleShape } from './sqlstate.ts';
import { declareStatement, keysStatement, PLAN_FOR_ALL_ROWS, SEES_EMPTIED_TABLE } from './statements.ts';

/** Runs in the transaction of a snapshot, before its first row. `undefined`: nothing will go on from there. */
export type AtStart = (lease: Lease, shape: Shape) => Promise<Start | undefined>;

export class SnapshotSource implements PostgresSource<unknown> {
  readonly breakerKey: unknown;
  readonly shapes: ShapeReader;
  readonly #options: ResolvedOptions;
  readonly #memory = new RowMemory();

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.shapes = new ShapeReader(options);
    this.breakerKey = options.client;
  }

  status(): Record<string, unknown> {
    return {
      tier: 'snapshot',
      client: this.#options.database.kind,
      limits: limitsOfSnapshots('the SELECT'),
    };
  }

  async fetchAll({ signal }: FetchContext): Promise<AsyncIterable<readonly [string, unknown]>> {
    return this.readAll(signal);
  }

  async fetchOne(key: string, context: FetchContext): Promise<unknown> {
    return (await this.fetchMany([key], context)).get(key);
  }

  async fetchMany(keys: readonly string[], { signal }: FetchContext): Promise<ReadonlyMap<string, unknown>> {
    // PostgreSQL's text can hold neither: such a key cannot be there, and half a character would become another key.
    const wanted = new Set(keys.filter((key) => key.isWellFormed() && !key.includes('\0')));
    if (wanted.size === 0) return new Map();
    const known = this.shapes.known;
    try {
      return await this.#readKeys(wanted, known ?? (await this.#readShape(signal)), signal);
    } catch (error) {
      // The table may have another face by now, and the statement was made for the old one.
      if (known === undefined || !(error instanceof PostgresError && mayBeStaleShape(error.sqlstate))) throw error;
      return await this.#readKeys(wanted, await this.#readShape(signal), signal);
    }
  }

  async *readAll(signal: AbortSignal, atStart?: AtStart): AsyncGenerator<readonly [string, unknown]> {
    const { lease, start } = await this.#leaseWithCursor(signal, atStart);
    const reading = this.#memory.readAll(start !== undefined);
    const reader = rowReader(this.#options, reading.recall);
    try {
      for await (const rows of fetchBatches(lease)) {
        noteKeys(start, rows);
        yield* reader.take(rows);
      }
    } finally {
      await lease.end();
    }
    yield* reader.finish();
    reading.end();
  }

  async #leaseWithCursor(
    signal: AbortSignal,
    atStart: AtStart = async () => undefined,
  ): Promise<{ readonly lease: Lease; readonly start: Start | undefined }> {
    for (;;) {
      const { database, fullLoads } = this.#options;
      const open = (): Promise<Lease> => database.lease({ signal, snapshot: true });
      const lease = fullLoads === undefined ? await open() : await fullLoads.enter(open, signal);
      try {
        await lease.run(PLAN_FOR_ALL_ROWS);
        const shape = await this.shapes.readBy(lease);
        await lease.run(declareStatement(this.#options, shape));
        const { rows } = await lease.run(SEES_EMPTIED_TABLE);
        if (rows[0]?.[0] !== 'true') {
          return { lease, start: await atStart(lease, shape) };
        }
      } catch (error) {
        await lease.end();
        throw error;
      }
      await lease.end();
    }
  }

  #readShape(signal: AbortSignal): Promise<Shape> {
    return this.shapes.read(this.#options.database, signal);
  }

  async #readKeys(wanted: ReadonlySet<string>, shape: Shape, signal: AbortSignal): Promise<Map<string, unknown>> {
    const statement = keysStatement(this.#options, shape, wanted);
    if (statement === undefined) return new Map();
    return alone(this.#options.database, signal, async (lease) => {
      const { rows } = await lease.run(statement);
      const reader = rowReader(this.#options, this.#memory.recall);
      return new Map([...reader.take(rowsOfKeys(rows, wanted)), ...reader.finish()]);
    });
  }
}
