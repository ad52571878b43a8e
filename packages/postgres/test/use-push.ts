/** Instances with push over one database, for the tests of a file. */
import { TTLCacheService } from 'evercache';
import { Pool } from 'pg';
import postgres from 'postgres';
import { expect, onTestFinished } from 'vitest';
import { type FollowOptions, type PostgresClient, type PostgresRow, postgresSource } from '../src/index.ts';
import type { ClientKind } from './use-client.ts';

/** How many seconds anything may take: far more than it does. */
export const SOON = { timeout: 15_000, interval: 20 };

type Push = NonNullable<FollowOptions['push']>;

export interface Instance {
  readonly cache: TTLCacheService<PostgresRow>;
  readonly client: PostgresClient;
}

/** A client of its own, until the test ends. */
export function openPool(url: string, kind: Exclude<ClientKind, 'pglite'> = 'pg'): PostgresClient {
  if (kind === 'pg') {
    const pool = new Pool({ connectionString: url });
    onTestFinished(() => pool.end());
    return pool;
  }
  const sql = postgres(url, { onnotice: () => {}, max: 2 });
  onTestFinished(() => sql.end({ timeout: 1 }));
  return sql;
}

/** A cache of the table `prices` that would not look again for an hour, were it not rung. Ends with the test. */
export async function startInstance(client: PostgresClient, push: Push = 'leader'): Promise<Instance> {
  const cache = makeCache(client, push);
  await cache.start();
  return { cache, client };
}

export function makeCache(
  client: PostgresClient,
  push: Push,
  refreshInterval = 3_600_000,
): TTLCacheService<PostgresRow> {
  const source = postgresSource({
    client,
    select: 'select id, amount from prices',
    key: 'id',
    follow: { prices: 'key' },
    push,
  });
  const cache = new TTLCacheService({ name: 'prices', source, ttl: 3 * refreshInterval, refreshInterval });
  onTestFinished(() => cache.stop());
  return cache;
}

export function pushOf({ cache }: Pick<Instance, 'cache'>): Record<string, unknown> {
  return cache.status().source?.push as Record<string, unknown>;
}

/** Resolves when each of them is rung, and one of them leads. */
export async function untilOneLeads(...instances: Instance[]): Promise<Instance> {
  let leaders: Instance[] = [];
  await expect
    .poll(() => {
      const states = instances.map((instance) => pushOf(instance).state);
      leaders = instances.filter((_, index) => states[index] === 'leading');
      return [states.includes('off'), leaders.length];
    }, SOON)
    .toEqual([false, 1]);
  return leaders[0]!;
}

/** Resolves when all of them hold this amount for a price. */
export async function untilAllHave(instances: readonly Instance[], id: number, amount: number): Promise<void> {
  await expect
    .poll(() => instances.map(({ cache }) => cache.get(String(id))?.amount), SOON)
    .toEqual(instances.map(() => amount));
}
