/** Push where the change log rings, but cannot be followed: each ring would be a reading of everything. */
import { TTLCacheService } from 'evercache';
import type { Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { mirrorOf, useAgentTables } from './use-mirror.ts';
import { SOON } from './use-push.ts';

const database = useAgentTables();

type Rung = Pick<TTLCacheService<unknown>, 'start' | 'refresh' | 'reports' | 'status'>;

function cacheOf(client: Pool): Rung {
  const source = postgresSource({
    client,
    select: 'select * from tools',
    key: 'id',
    follow: { tools: 'key' },
    push: 'leader',
  });
  const cache = new TTLCacheService({ name: 'tools', source, ttl: '2h', refreshInterval: '1h' });
  onTestFinished(() => cache.stop());
  return cache;
}

const pushOf = (rung: Rung): Record<string, unknown> => rung.status().source?.push as Record<string, unknown>;
const nudges = (rung: Rung): number => rung.reports().filter(({ reason }) => reason === 'nudge').length;

/** Started and rung, while a trigger of the table `tools` is off. */
async function startWithoutTrigger(rung: Rung): Promise<void> {
  await database.pool.query('alter table tools disable trigger evercache_update');
  await rung.start();
  await expect.poll(() => pushOf(rung).state, SOON).toBe('leading');
  // What was rung for before the first load has ended has been read when this has.
  await rung.refresh();
}

let agents = 100;
/** Resolves when the bell has rung for a commit. */
async function ring(rung: Rung): Promise<void> {
  const { rings } = pushOf(rung);
  agents += 1;
  await database.pool.query(`insert into agents values (${agents})`);
  await expect.poll(() => pushOf(rung).rings, SOON).not.toBe(rings);
}

describe.each([
  ['a cache', () => cacheOf(database.pool)],
  ['a mirror', () => mirrorOf(database.pool, { push: 'leader' }).mirror as Rung],
] as const)('%s whose tables cannot be followed', (_, make) => {
  test('does not read everything whenever it is rung, and says so', async () => {
    const rung = make();
    await startWithoutTrigger(rung);
    const before = nudges(rung);
    for (const _ of ['one', 'two', 'three']) await ring(rung);
    await rung.refresh();
    expect(nudges(rung)).toBe(before);
    expect(rung.status().source).toMatchObject({
      tier: 'snapshot',
      reason: expect.stringContaining('missing or off'),
      push: { state: 'leading', warning: 'rings start no refresh while everything is read each time' },
    });
  });

  test('goes by the bell again once a refresh has found the log, and reads what was rung for before', async () => {
    const rung = make();
    await startWithoutTrigger(rung);
    await ring(rung);
    await database.pool.query('alter table tools enable always trigger evercache_update');
    const before = nudges(rung);
    await rung.refresh();
    await expect.poll(() => nudges(rung), SOON).toBe(before + 1);
    expect(rung.status()).toMatchObject({ lastRefresh: { kind: 'delta' }, source: { tier: 'change log' } });
    expect(pushOf(rung)).not.toHaveProperty('warning');
    await database.pool.query(`update tools set name = 'new' where id = 1`);
    await expect
      .poll(() => rung.status().lastRefresh, SOON)
      .toMatchObject({ reason: 'nudge', kind: 'delta', updated: 1 });
  });
});
