/**
 * PostgreSQL as a source, first tier: the whole SELECT by cursor, single keys by the same SELECT restricted.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FetchContext, Source } from 'evercache';
import type { Lease } from './database.ts';
import { PostgresError } from './errors.ts';
import {
  type GroupedRowsOptions,
  type PostgresRow,
  type ResolvedOptions,
  resolveOptions,
  type SingleRowOptions,
} from './options.ts';
import { rowReader } from './rows.ts';
import type { Shape } from './shape.ts';
import { ShapeReader } from './shape-reader.ts';
import { mayBeStaleShape } from './sqlstate.ts';
import { BATCH_SIZE, declareStatement, FETCH_BATCH, keysStatement, PLAN_FOR_ALL_ROWS } from './statements.ts';

/** A source for `TTLCacheService`. All methods reject with a `PostgresError`, or with the signal's reason. */
export interface PostgresSource<T> extends Source<T> {
  /** Every key, as of one moment. Nothing is asked before the first row is read; a reader may stop at any row. */
  fetchAll(context: FetchContext): Promise<AsyncIterable<readonly [string, T]>>;
  /** One key; `undefined`: there is no row whose key has exactly this text. */
  fetchOne(key: string, context: FetchContext): Promise<T | undefined>;
  /** Several keys by one statement. */
  fetchMany(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, T>>;
  /** The client. */
  readonly breakerKey: unknown;
  /** Which tier runs, over which client, and what it cannot see. */
  status(): Record<string, unknown>;
}

/**
 * Makes a SELECT the source of a cache.
 *
 * ```ts
 * const tools = new TTLCacheService({
 *   name: 'tools',
 *   source: postgresSource({ client: pool, select: 'select id, name, settings from tools', key: 'id' }),
 * });
 * ```
 *
 * @throws TypeError for wrong options: option, expected, got.
 */
export function postgresSource<Item = PostgresRow>(options: GroupedRowsOptions<Item>): PostgresSource<NoInfer<Item>[]>;
export function postgresSource<Item = PostgresRow>(options: SingleRowOptions<Item>): PostgresSource<NoInfer<Item>>;
export function postgresSource(
  options: SingleRowOptions<unknown> | GroupedRowsOptions<unknown>,
): PostgresSource<unknown> {
  return new SnapshotSource(resolveOptions(options));
}

class SnapshotSource implements PostgresSource<unknown> {
  readonly breakerKey: unknown;
  readonly #options: ResolvedOptions;
  readonly #shapes: ShapeReader;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#shapes = new ShapeReader(options);
    this.breakerKey = options.client;
  }

  status(): Record<string, unknown> {
    return {
      tier: 'snapshot',
      client: this.#options.database.kind,
      limits: 'a change is seen by the next refresh, and every refresh reads the whole SELECT',
    };
  }

  async fetchAll({ signal }: FetchContext): Promise<AsyncIterable<readonly [string, unknown]>> {
    return this.#readAll(signal);
  }

  async fetchOne(key: string, context: FetchContext): Promise<unknown> {
    return (await this.fetchMany([key], context)).get(key);
  }

  async fetchMany(keys: readonly string[], { signal }: FetchContext): Promise<ReadonlyMap<string, unknown>> {
    // PostgreSQL's text can hold neither: such a key cannot be there, and half a character would become another key.
    const wanted = new Set(keys.filter((key) => key.isWellFormed() && !key.includes('\0')));
    if (wanted.size === 0) return new Map();
    const known = this.#shapes.known;
    try {
      return await this.#readKeys(wanted, known ?? (await this.#readShape(signal)), signal);
    } catch (error) {
      // The table may have another face by now, and the statement was made for the old one.
      if (known === undefined || !(error instanceof PostgresError && mayBeStaleShape(error.sqlstate))) throw error;
      return await this.#readKeys(wanted, await this.#readShape(signal), signal);
    }
  }

  async *#readAll(signal: AbortSignal): AsyncGenerator<readonly [string, unknown]> {
    const reader = rowReader(this.#options);
    const lease = await this.#options.database.lease({ signal, snapshot: true });
    try {
      await this.#openCursor(lease);
      for (let last = false; !last; ) {
        const { rows } = await lease.run(FETCH_BATCH);
        last = rows.length < BATCH_SIZE;
        yield* reader.take(rows);
        await nextTurn();
      }
    } finally {
      await lease.end();
    }
    yield* reader.finish();
  }

  async #openCursor(lease: Lease): Promise<void> {
    await lease.run(PLAN_FOR_ALL_ROWS);
    await lease.run(declareStatement(this.#options, await this.#shapes.readBy(lease)));
  }

  #readShape(signal: AbortSignal): Promise<Shape> {
    return this.#shapes.read(this.#options.database, signal);
  }

  async #readKeys(wanted: ReadonlySet<string>, shape: Shape, signal: AbortSignal): Promise<Map<string, unknown>> {
    const statement = keysStatement(this.#options, shape, wanted);
    if (statement === undefined) return new Map();
    const lease = await this.#options.database.lease({ signal, snapshot: false });
    try {
      const { rows } = await lease.run(statement);
      // The column's own `=` may find more than was asked for: 7 for '007', 'A' for 'a' in some collations.
      const exact = rows.filter(([key]) => key !== null && key !== undefined && wanted.has(key));
      const reader = rowReader(this.#options);
      return new Map([...reader.take(exact), ...reader.finish()]);
    } finally {
      void lease.end();
    }
  }
}
