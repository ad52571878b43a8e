/** Compiled, never run: the real clients fit the structural types, and values have the types that map gives them. */
import type { PGlite } from '@electric-sql/pglite';
import type { Source } from 'evercache';
import { TTLCacheService } from 'evercache';
import type { Pool } from 'pg';
import type { Sql } from 'postgres';
import {
  type FollowingPostgresSource,
  type PGliteClient,
  type PgPool,
  type PostgresJsClient,
  type PostgresRow,
  postgresSource,
} from '../src/index.ts';

declare const pool: Pool;
declare const sql: Sql;
declare const typedSql: Sql<{ bigint: bigint }>;
declare const pglite: PGlite;

export const fits: [PgPool, PostgresJsClient, PostgresJsClient, PGliteClient] = [pool, sql, typedSql, pglite];

interface Tool {
  readonly id: string;
  readonly position: number;
}

const one = { client: pool, select: 'select 1', key: 'id' };
export const rows: Source<PostgresRow> = postgresSource(one);
export const lists: Source<PostgresRow[]> = postgresSource({ ...one, rows: 'grouped' });
export const tools: Source<Tool> = postgresSource<Tool>({ ...one, client: sql });
export const names: Source<string[]> = postgresSource({
  ...one,
  client: pglite,
  rows: 'grouped',
  orderBy: ['position'],
  map: (row) => String(row.name),
});
export const cache: TTLCacheService<Tool[]> = new TTLCacheService({
  name: 'tools',
  source: postgresSource<Tool>({ ...one, rows: 'grouped' }),
});

export const following: FollowingPostgresSource<Tool[]> = postgresSource<Tool>({
  ...one,
  rows: 'grouped',
  follow: { tools: 'key', links: { column: 'tool_id' }, kinds: { sql: 'select tool_id from links' } },
});
export const followingCache: TTLCacheService<PostgresRow> = new TTLCacheService({
  name: 'prices',
  source: postgresSource({ ...one, follow: { prices: 'key' } }),
});

postgresSource({ ...one, follow: { tools: 'key' }, push: 'leader' });
postgresSource({ ...one, client: sql, follow: { tools: 'key' }, push: { mode: 'leader', connectionString: '' } });

// @ts-expect-error: there is no such mode
postgresSource({ ...one, follow: { tools: 'key' }, push: 'trigger' });
// @ts-expect-error: nobody is rung for what is not followed
postgresSource({ ...one, push: 'leader' });
// @ts-expect-error: not a way to the keys
postgresSource({ ...one, follow: { tools: 'id' } });
// @ts-expect-error: an order needs groups
postgresSource({ ...one, orderBy: ['position'] });
// @ts-expect-error: a Date is bound differently by each client
postgresSource({ ...one, params: [new Date()] });
// @ts-expect-error: one connection is no pool
postgresSource({ ...one, client: await pool.connect() });
// @ts-expect-error: map decides
export const wrong: Source<Tool> = postgresSource({ ...one, map: (row) => row.name });
