/** What was invalidated is not served again as it was before, whatever is wrong with what is there now. */
import { type Cache, type StandardSchema, TTLCacheService } from 'evercache';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type PostgresRow, postgresMirror, postgresSource } from '../src/index.ts';
import { useAgentTables } from './use-mirror.ts';

const database = useAgentTables();

const EVERY_HOUR = { refreshInterval: '1h', ttl: '2h' } as const;

/** Of a tool, or of the tools of an agent. */
const notBad: StandardSchema<PostgresRow> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      JSON.stringify(value).includes('"bad"') ? { issues: [{ message: 'is bad' }] } : { value: value as PostgresRow },
  },
};

const agentTables = {
  agents: { table: 'agents' },
  links: { table: 'public.agent_tools', indexes: ['agent_id'] },
  tools: { table: 'tools' },
} as const;
const checkedTables = { ...agentTables, tools: { table: 'tools', schema: notBad } } as const;

function plainCache(): Cache<unknown> {
  const source = postgresSource({ client: database.pool, select: 'select id, name from tools', key: 'id' });
  return new TTLCacheService({ name: 'plain', source, schema: notBad, ...EVERY_HOUR });
}

function table(): Cache<unknown> {
  return postgresMirror({ name: 'all', client: database.pool, tables: checkedTables, ...EVERY_HOUR }).tables.tools;
}

function view(): Cache<unknown> {
  const mirror = postgresMirror({ name: 'all', client: database.pool, tables: agentTables, ...EVERY_HOUR });
  return mirror.view({ name: 'view', keys: 'tools', schema: notBad, build: (tool) => tool });
}

function viewBuiltAhead(): Cache<unknown> {
  const mirror = postgresMirror({ name: 'all', client: database.pool, tables: agentTables, ...EVERY_HOUR });
  return mirror.view({ name: 'view', keys: 'tools', schema: notBad, ahead: true, build: (tool) => tool });
}

function viewOfCheckedRows(): Cache<unknown> {
  const mirror = postgresMirror({ name: 'all', client: database.pool, tables: checkedTables, ...EVERY_HOUR });
  return mirror.view({ name: 'view', keys: 'tools', build: (tool) => ({ ...tool }) });
}

/** Stopped when the test ends. */
async function started<C extends Cache<unknown>>(cache: C): Promise<C> {
  onTestFinished(() => cache.stop());
  await cache.start();
  return cache;
}

async function rename(id: number, name: string): Promise<void> {
  await database.pool.query('update tools set name = $2 where id = $1', [id, name]);
}

describe.each([
  ['a cache', plainCache],
  ['a table of a mirror', table],
  ['a view', view],
  ['a view that is built ahead', viewBuiltAhead],
  ['a view of rows that have a schema', viewOfCheckedRows],
])('%s that holds the last good value of a wrong row', (_, open) => {
  const good = { id: 1, name: 'tool 1' };
  const other = { id: 2, name: 'tool 2' };

  async function withWrongRow(): Promise<Cache<unknown>> {
    const cache = await started(open());
    expect([cache.get('1'), cache.get('2')]).toEqual([good, other]);
    await rename(1, 'bad');
    await cache.refresh();
    expect(await cache.fetch('1')).toEqual(good);
    return cache;
  }

  async function isRefused(cache: Cache<unknown>): Promise<void> {
    await expect(cache.fetch('1')).rejects.toMatchObject({ code: 'source-failed', cache: cache.name, key: '1' });
    await cache.refresh();
    await expect(cache.fetch('1')).rejects.toMatchObject({ code: 'source-failed', cache: cache.name, key: '1' });
    const many = cache.fetchMany(['1', '2']);
    await expect(many).rejects.toMatchObject({ code: 'source-failed', partial: new Map([['2', other]]) });
    expect([cache.get('1'), cache.has('1'), [...cache.entries()].length]).toEqual([undefined, false, 2]);
    expect(cache.inspect('1')).toMatchObject({ state: 'unknown', quarantined: expect.stringContaining('is bad') });
    expect(await cache.warm(['1', '2'])).toMatchObject({ loaded: 1, absent: 0, failed: 1 });
    using snapshot = cache.snapshot();
    expect([snapshot.get('1'), snapshot.has('1'), snapshot.get('2')]).toEqual([undefined, false, other]);
    expect([...snapshot.keys()]).toEqual(['2', '3']);
  }

  test('does not serve it once its key was invalidated', async () => {
    const cache = await withWrongRow();
    const neighbour = cache.get('2');
    await cache.invalidate('1');
    expect([cache.get('1'), cache.get('2') === neighbour]).toEqual([undefined, true]);
    await isRefused(cache);
    expect(cache.get('2')).toBe(neighbour);
  });

  test('does not serve it once everything was invalidated', async () => {
    const cache = await withWrongRow();
    await cache.invalidateAll();
    expect([cache.get('1'), cache.get('2')]).toEqual([undefined, undefined]);
    await isRefused(cache);
  });

  test('serves what comes next, be it what was there before', async () => {
    const cache = await withWrongRow();
    await cache.invalidate('1');
    await isRefused(cache);
    await rename(1, good.name);
    await cache.refresh();
    expect([await cache.fetch('1'), cache.get('1'), cache.inspect('1').state]).toEqual([good, good, 'fresh']);
    // From here on, it has a last good value again.
    await rename(1, 'bad');
    await cache.refresh();
    expect(cache.get('1')).toEqual(good);
  });
});

describe('of a mirror', () => {
  function mirrorOfAgents(tables: typeof agentTables | typeof checkedTables) {
    const mirror = postgresMirror({ name: 'all', client: database.pool, tables, ...EVERY_HOUR });
    const names = mirror.view({
      name: 'names',
      keys: 'agents',
      schema: notBad,
      build: (agent, read) => read.links.by('agent_id', agent.id).map((link) => read.tools.get(link.tool_id)?.name),
    });
    return { mirror, names };
  }

  test('an invalidated key is not made again of a wrong row as it was before; others go on with that', async () => {
    const { mirror, names } = mirrorOfAgents(checkedTables);
    await started(names);
    await rename(2, 'bad');
    await database.pool.query('insert into agent_tools values (3, 9)');
    await mirror.refresh();
    // A row that is known to be absent is no row from before.
    expect(await mirror.tables.tools.fetch('9')).toBeUndefined();
    await names.invalidate('3');
    expect(await names.fetch('3')).toEqual(['tool 3', undefined]);
    // Nobody has asked for it yet.
    await names.invalidate('1');
    await expect(names.fetch('1')).rejects.toMatchObject({ code: 'source-failed', cache: 'names', key: '1' });
    expect(names.inspect('1')).toMatchObject({ state: 'unknown', quarantined: 'is bad' });
    expect([names.get('1'), names.get('2')]).toEqual([undefined, ['tool 2']]);
    await rename(2, 'tool 2');
    await mirror.refresh();
    expect(await names.fetch('1')).toEqual(['tool 1', 'tool 2']);
    expect(names.status().quarantine).toEqual([]);
  });

  test('an invalidation changes nothing of what is made without a row that was never good', async () => {
    await rename(2, 'bad');
    const { mirror, names } = mirrorOfAgents(checkedTables);
    await started(names);
    expect(names.get('1')).toEqual(['tool 1', undefined]);
    await names.invalidate('1');
    await mirror.tables.tools.invalidate('2');
    expect(await names.fetch('1')).toEqual(['tool 1', undefined]);
    await expect(mirror.tables.tools.fetch('2')).rejects.toMatchObject({ code: 'source-failed', key: '2' });
  });

  test('what is built ahead is ready again, or listed as refused, before anybody asks for it', async () => {
    const { mirror } = mirrorOfAgents(agentTables);
    const built: string[] = [];
    const build = (tool: PostgresRow, _read: unknown, key: string): PostgresRow => {
      built.push(key);
      return tool;
    };
    const ahead = mirror.view({ name: 'ahead', keys: 'tools', ahead: true, schema: notBad, build });
    await started(ahead);
    await rename(2, 'bad');
    await ahead.refresh();
    expect(built.splice(0)).toEqual(['1', '2', '3', '2']);
    await ahead.invalidate(['1', '2']);
    await ahead.refresh();
    expect(built.splice(0)).toEqual(['1', '2']);
    expect(ahead.status().quarantine).toMatchObject([{ key: '2', message: 'is bad', ageMs: undefined }]);
    expect([ahead.get('1'), ahead.get('2'), built]).toEqual([{ id: 1, name: 'tool 1' }, undefined, []]);
  });

  test('an invalidated row that is wrong takes with it what was made of it, and the last good values', async () => {
    for (const tables of [checkedTables, agentTables]) {
      await rename(1, 'tool 1');
      const { mirror, names } = mirrorOfAgents(tables);
      await started(names);
      expect([names.get('1'), names.get('3')]).toEqual([['tool 1', 'tool 2'], ['tool 3']]);
      await rename(1, 'bad');
      await rename(3, 'bad');
      await mirror.refresh();
      expect([names.get('1'), names.get('3')]).toEqual([['tool 1', 'tool 2'], ['tool 3']]);
      await mirror.tables.tools.invalidate('1');
      await expect(names.fetch('1')).rejects.toMatchObject({ code: 'source-failed', cache: 'names', key: '1' });
      expect([names.get('1'), names.get('2'), names.get('3')]).toEqual([undefined, ['tool 2'], ['tool 3']]);
      await rename(1, 'tool 1');
      await rename(3, 'tool 3');
      await mirror.refresh();
      expect(await names.fetch('1')).toEqual(['tool 1', 'tool 2']);
    }
  });

  test('a link that is gone from a refused value, and then invalidated, does not come back with it', async () => {
    const { mirror, names } = mirrorOfAgents(agentTables);
    await started(names);
    names.get('1');
    await rename(1, 'bad');
    await database.pool.query('delete from agent_tools where agent_id = 1 and tool_id = 2');
    await mirror.refresh();
    expect(names.get('1')).toEqual(['tool 1', 'tool 2']);
    await mirror.tables.tools.invalidate('2');
    await expect(names.fetch('1')).rejects.toMatchObject({ code: 'source-failed' });
  });

  test('a removal that is held is not served under a key that was invalidated', async () => {
    await database.pool.query(`insert into tools select n, 'tool ' || n from generate_series(10, 50) as n`);
    const { mirror } = mirrorOfAgents(agentTables);
    const tool = mirror.view({ name: 'tool', keys: 'tools', build: ({ name }) => name });
    await started(tool);
    expect(tool.get('10')).toBe('tool 10');
    await database.pool.query('delete from tools where id >= 10');
    expect(await mirror.refresh()).toMatchObject({ outcome: 'held' });
    expect([tool.get('10'), mirror.reject()]).toEqual(['tool 10', true]);
    await mirror.tables.tools.invalidate('10');
    await tool.invalidate('11');
    expect(await mirror.refresh()).toMatchObject({ outcome: 'held' });
    for (const [cache, key] of [
      [mirror.tables.tools, '10'],
      [tool, '10'],
      [tool, '11'],
    ] as const) {
      await expect(cache.fetch(key)).rejects.toMatchObject({ code: 'source-failed', key });
      expect([cache.get(key), cache.inspect(key).state]).toEqual([undefined, 'unknown']);
    }
    expect([tool.get('12'), mirror.tables.tools.get('11')]).toEqual(['tool 12', { id: 11, name: 'tool 11' }]);
    mirror.accept();
    for (const cache of [mirror.tables.tools, tool]) {
      for (const key of ['10', '11', '12']) expect(await cache.fetch(key)).toBeUndefined();
    }
  });

  test('a fetch during which its key is invalidated once more waits for that, too', async () => {
    const { mirror, names } = mirrorOfAgents(agentTables);
    await started(names);
    await names.invalidate('1');
    for (const again of [
      () => Promise.all([names.invalidate('1'), mirror.tables.tools.invalidate('1')]),
      () => mirror.invalidateAll(),
    ]) {
      const fetched = [names.fetch('1'), names.fetchMany(['1', '2']), mirror.tables.tools.fetch('1')] as const;
      const invalidated = again();
      const [one, many, row] = await Promise.all(fetched);
      expect([one, many.size, row]).toEqual([['tool 1', 'tool 2'], 2, { id: 1, name: 'tool 1' }]);
      await invalidated;
      await names.invalidate('1');
    }
  });

  test('what was invalidated is told of as changed, where somebody had asked for it', async () => {
    const { mirror, names } = mirrorOfAgents(agentTables);
    await started(names);
    names.get('1');
    const updated: unknown[] = [];
    names.on('change', (change) => updated.push(change.updated));
    await rename(1, 'new');
    await names.invalidate(['1', '2', 'unknown']);
    expect(await names.fetch('1')).toEqual(['new', 'tool 2']);
    await mirror.refresh();
    expect(updated).toEqual([['1']]);
  });
});
