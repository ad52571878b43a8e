import { setTimeout as sleep } from 'node:timers/promises';
import { CacheError } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import { describe, expect, it } from 'vitest';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { createApiKey, hashApiKey, revokeApiKey } from '../src/api-keys.ts';
import { createCaches } from '../src/caches.ts';
import { openDatabase } from '../src/database.ts';
import { migrate } from '../src/migrate.ts';
import { seed } from '../src/seed.ts';
import { keepNothing } from '../src/snapshots.ts';
import { instructionsKey } from '../src/sources.ts';
import { AgentBench, useAgents } from './support/agents.ts';
import { bothDatabases, usePGlite } from './support/databases.ts';
import { FlakyDatabase } from './support/flaky-database.ts';

describe.each(bothDatabases)('the caches on %s', (_, use) => {
  const test = use();
  const agents = useAgents(test);

  it('are four, live once they have started', () => {
    const states = [...agents.bench.caches.registry].map((cache) => [cache.name, cache.status().state]);
    expect(states).toEqual([
      ['tools', 'live'],
      ['agents', 'live'],
      ['api-keys', 'live'],
      ['user-instructions', 'live'],
    ]);
  });

  it('know a new API key at once, and forget a revoked one with the next refresh', async () => {
    const { apiKeys } = agents.bench.caches;
    const key = await createApiKey(test.database, { userId: 'anna', scopes: ['chat'] });
    const record = await apiKeys.fetch(hashApiKey(key));
    expect(record).toMatchObject({ userId: 'anna', scopes: ['chat'], expiresAt: null });
    expect(record).not.toHaveProperty('keyHash');
    await revokeApiKey(test.database, record?.id ?? '');
    await apiKeys.refresh();
    expect(await apiKeys.fetch(hashApiKey(key))).toBeUndefined();
  });

  it('keep the agents where the table is suddenly empty, but not keys that were all revoked', async () => {
    const { agents: configurations, apiKeys } = agents.bench.caches;
    const before = configurations.size;
    await test.database.query('update agent_configurations set is_active = false');
    await test.database.query('update api_keys set revoked_at = now()');
    expect(await configurations.refresh()).toMatchObject({ outcome: 'held', held: before });
    expect(configurations.size).toBe(before);
    expect(configurations.status().state).toBe('held');
    await apiKeys.refresh();
    expect(apiKeys.size).toBe(0);
    await test.database.query('update agent_configurations set is_active = true');
    await configurations.refresh();
    expect(configurations.status().state).toBe('live');
  });

  it('remember that a user has no instructions as long as any other answer', async () => {
    const { bench } = agents;
    const key = instructionsKey({ userId: 'nobody', agentId: await bench.idOf('listener') });
    expect(await bench.caches.instructions.fetch(key)).toEqual({ instructions: null });
    const agentId = await bench.idOf('task_coach');
    const others = ['b', 'c'].map((userId) => instructionsKey({ userId, agentId }));
    expect((await bench.caches.instructions.fetchMany([...others, 'typing error', `${agentId}/`])).size).toBe(2);
    expect(await bench.caches.instructions.fetch('["nobody","listener"]')).toBeUndefined();
    await bench.caches.instructions.refresh();
    expect(bench.caches.instructions.inspect(key)).toMatchObject({ state: 'fresh', value: { instructions: null } });
    const calls = bench.flaky.calls;
    await bench.caches.instructions.fetch(key);
    expect(bench.flaky.calls).toBe(calls);
  });

  it('say of the instructions that a refresh reads those in memory, and reads no others', async () => {
    const { instructions } = agents.bench.caches;
    expect(instructions.status().source?.limits).toMatch(/every refresh reads what is in memory, and nothing else/);
    await instructions.invalidateAll();
    expect(await instructions.refresh({ full: true })).toMatchObject({ outcome: 'unchanged' });
    expect(instructions.size).toBe(0);
  });

  it('find instructions by user and agent, and mix up no two of them', async () => {
    const { bench } = agents;
    const ids = await Promise.all([bench.idOf('listener'), bench.idOf('task_coach')]);
    const users = ['a', 'a/b', '{a}', '"a"', 'ä\\', "a'; --"];
    for (const [agent, agentId] of ids.entries()) {
      for (const userId of users) {
        await test.database.query('insert into user_agent_instructions values ($1, $2, $3)', [
          userId,
          agentId,
          `${agent} ${userId}`,
        ]);
      }
    }
    const keys = ids.flatMap((agentId) => users.map((userId) => instructionsKey({ userId, agentId })));
    const found = await bench.caches.instructions.fetchMany(keys);
    expect([...found.values()].map(({ instructions }) => instructions)).toEqual(
      [0, 1].flatMap((agent) => users.map((user) => `${agent} ${user}`)),
    );
  });

  it('find instructions by an index', async () => {
    const plan = await test.database.transaction(async ({ query }) => {
      await query('set local enable_seqscan = off');
      return query(
        `explain (format json) select * from (
           select agent_id::text || '/' || user_id as key, instructions from user_agent_instructions where is_active
         ) as q where q.key = any($1::text[])`,
        [['a/b']],
      );
    });
    expect(JSON.stringify(plan)).toContain('user_agent_instructions_by_key');
  });
});

describe('the ages of the caches', () => {
  const test = usePGlite();

  it.each([
    ['tools', 300, 60],
    ['agents', 600, 120],
    ['api-keys', 300, 30],
    ['user-instructions', 120, 60],
  ])(
    '%s are fresh for %i s, read again after %i s, and served for a day more without the database',
    async (name, ttl, interval) => {
      const clock = new VirtualClock();
      const flaky = new FlakyDatabase(test.database);
      const { registry, instructions } = createCaches(flaky.database, keepNothing, clock);
      await registry.startAll();
      const cache = registry.get(name)!;
      const key = instructionsKey({ userId: 'demo', agentId: registry.get('tools')!.keys().next().value! });
      await instructions.fetch(key);
      flaky.down = true;

      const next = cache.status().nextRefreshInMs!;
      expect(next).toBeGreaterThanOrEqual(800 * interval);
      expect(next).toBeLessThanOrEqual(1000 * interval);
      const [held] = cache.keys();
      const state = () => cache.inspect(held!).state;
      await clock.advance(1000 * ttl);
      expect(state()).toBe('fresh');
      await clock.advance('1s');
      expect(state()).toBe('stale');
      clock.suspend(86_400_000 - 3000); // without the thousands of refreshes that would fail meanwhile
      await clock.advance('1s');
      expect(state()).toBe('stale');
      await clock.advance('2s');
      expect(state()).toBe('unknown');
      await registry.stopAll();
    },
  );
});

describe('while PostgreSQL is away', () => {
  const postgres = usePrivatePostgres();

  it.each<['killed' | 'frozen']>([['killed'], ['frozen']])(
    'the server %s, agents with static tools answer every time within 250 ms, and the caches heal by themselves',
    async (how) => {
      const database = await openDatabase({
        dataDir: '',
        databaseUrl: await postgres.server.createDatabase(),
        deadlineMs: 500,
      });
      await migrate(database);
      await seed(database);
      const bench = new AgentBench(database);
      await bench.caches.registry.startAll();
      const ask = (userId = 'demo') =>
        bench.ask('shop_assistant', 'call get_shipping_policy {"region": "europe"}', { userId });
      await ask();

      if (how === 'killed') await postgres.server.kill();
      else postgres.server.freeze();
      const refreshes = [...bench.caches.registry].map((cache) => cache.refresh());
      const times: number[] = [];
      for (let question = 0; question < 150; question += 1) {
        const started = performance.now();
        expect(await ask()).toContain('990');
        times.push(performance.now() - started);
        await sleep(10);
      }
      expect(Math.max(...times)).toBeLessThan(250);
      await expect(ask('never-seen')).rejects.toSatisfy(CacheError.isInstance);
      if (how === 'killed') await postgres.server.restart();
      else postgres.server.thaw();
      await Promise.all(refreshes);

      const states = () => [...bench.caches.registry].map((cache) => cache.status().state);
      await expect.poll(states, { timeout: 15_000 }).toEqual(['live', 'live', 'live', 'live']);
      await expect.poll(() => ask('never-seen').catch(() => ''), { timeout: 15_000 }).toContain('990');
      await bench.caches.registry.stopAll();
      await database.close();
    },
    60_000,
  );
});
