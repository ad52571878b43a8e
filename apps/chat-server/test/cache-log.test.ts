/** What operators read in the log about where the caches get their rows from. */
import { TTLCacheService } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logCache } from '../src/cache-log.ts';
import { silentLog } from '../src/log.ts';
import { bothDatabases } from './support/databases.ts';
import { createTestServer, stopTestServer, type TestServer } from './support/test-server.ts';

type Line = Readonly<Record<string, unknown>>;

const INFO = 30;
const WARN = 40;

describe.each(bothDatabases)('the log of a server on %s', (_, use) => {
  const given = use();
  let server: TestServer;

  beforeEach(async () => {
    server = await createTestServer({ database: { ...given.database, close: async () => {} } });
  });

  afterEach(() => stopTestServer(server));

  /** What has been said since the last call, of the kind that is asked for. */
  function said(field: string): Line[] {
    const lines = server.logLines.splice(0).map((line): Line => JSON.parse(line));
    return lines.filter((line) => field in line).map(({ time: _time, ...line }) => line);
  }

  async function refreshTwice(): Promise<void> {
    for (const cache of server.caches.registry) await cache.refresh();
    for (const cache of server.caches.registry) await cache.refresh({ full: true });
  }

  test('says once by which tier each cache runs and what it cannot see', async () => {
    await server.lifespan.start();
    await refreshTwice();
    const tiers = said('tier');
    expect(tiers.map(({ cache, tier, level }) => [cache, tier, level]).toSorted()).toEqual([
      ['agents', 'snapshot', INFO],
      ['api-keys', 'snapshot', INFO],
      ['tools', 'change log', INFO],
      ['user-instructions', 'snapshot', INFO],
    ]);
    for (const { limits } of tiers) expect(limits).toMatch(/^(writes past triggers|a change is seen)/);
  });

  test.each([
    ['disabled', 'alter table tools disable trigger evercache_update'],
    ['dropped', 'drop trigger evercache_delete on tools'],
  ])('warns once, with the reason, when a trigger is %s, and says when it is back', async (_name, breakIt) => {
    await server.lifespan.start();
    said('tier');
    await given.database.query(breakIt);
    await refreshTwice();
    expect(said('tier')).toEqual([
      {
        level: WARN,
        cache: 'tools',
        tier: 'snapshot',
        reason: 'triggers of the change log on table public.tools are missing or off',
        limits: 'a change is seen by the next refresh, and every refresh reads all tables',
        msg: 'changes cannot be followed: everything is read each time',
      },
    ]);
    await given.database.query(`select evercache.follow('public.tools')`);
    await refreshTwice();
    expect(said('tier')).toEqual([expect.objectContaining({ level: INFO, cache: 'tools', tier: 'change log' })]);
  });

  test('blames no tier while the database is down', async () => {
    server.flaky.down = true;
    const started = server.lifespan.start();
    await server.caches.tools.start();
    await refreshTwice();
    expect(said('tier').map(({ cache }) => cache)).not.toContain('tools');
    server.flaky.down = false;
    await started;
    await refreshTwice();
    expect(said('tier')).toEqual([expect.objectContaining({ level: INFO, cache: 'tools', tier: 'change log' })]);
  });

  test('warns once that the change log cannot be pruned', async () => {
    const prune = 'function evercache.prune(interval)';
    await given.database.query(`alter ${prune} rename to kept_for_later`);
    await server.lifespan.start();
    const { tools } = server.caches;
    await tools.refresh();
    await expect.poll(() => tools.status().source).toHaveProperty('upkeepError');
    await refreshTwice();
    await given.database.query(`alter ${prune.replace('prune', 'kept_for_later')} rename to prune`);
    expect(said('warning')).toEqual([
      {
        level: WARN,
        cache: 'tools',
        warning: expect.stringContaining('evercache.prune'),
        msg: 'the change log cannot be pruned',
      },
    ]);
  });
});

test.each([
  ['push', (warning: string) => ({ push: { warning } }), 'push does not work: changes are seen by the refreshes alone'],
  ['upkeep', (upkeepError: string) => ({ upkeepError }), 'the change log cannot be pruned'],
  ['the file', (warning: string) => ({ disk: { warning } }), 'the file of a cache is no help'],
])('a warning about %s is told when it appears, changes and goes, and not again in between', async (_, of, begins) => {
  let status = {};
  const lines: unknown[] = [];
  const write = (level: string) => (details: object, message: string) =>
    void lines.push({ level, ...details, message });
  const source = { fetchAll: async () => [['a', 1]] as const, status: () => status };
  const cache = new TTLCacheService({ name: 'test', source, clock: new VirtualClock() });
  logCache(cache, { ...silentLog, info: write('info'), warn: write('warn') });
  await cache.start();
  for (const warning of ['refused', 'refused', 'silent', undefined, undefined, 'refused']) {
    status = warning === undefined ? {} : of(warning);
    await cache.refresh();
    await cache.refresh();
  }
  await cache.stop();
  expect(lines).toEqual([
    { level: 'warn', cache: 'test', warning: 'refused', message: begins },
    { level: 'warn', cache: 'test', warning: 'silent', message: begins },
    { level: 'info', cache: 'test', message: expect.stringContaining(' again') },
    { level: 'warn', cache: 'test', warning: 'refused', message: begins },
  ]);
});
