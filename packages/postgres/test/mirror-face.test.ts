/** Tables and views of a mirror have the face of a cache, and keep its promises. */
import { CacheError, CacheRegistry } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import { Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { postgresMirror } from '../src/index.ts';
import { AGENTS, CHANGE_LOG } from './mirror.ts';
import { CLIENT_KINDS, openClient, useClient } from './use-client.ts';
import { mirrorOf, useAgentTables } from './use-mirror.ts';

describe.each(CLIENT_KINDS)('over %s, a mirror', (kind) => {
  const client = useClient(kind, CHANGE_LOG);

  test('holds what the tables hold, and follows them', async () => {
    await client.run(AGENTS);
    const { mirror, names } = mirrorOf(client.client);
    await mirror.start();
    expect(['1', '2', '3', '4'].map(names)).toEqual([['tool 1', 'tool 2'], ['tool 2'], ['tool 3'], []]);
    await client.run(`update tools set name = 'new' where id = 2; insert into agent_tools values (4, 2)`);
    expect(await mirror.refresh()).toMatchObject({ outcome: 'published', kind: 'delta', added: 1, updated: 1 });
    expect(['1', '2', '3', '4'].map(names)).toEqual([['tool 1', 'new'], ['new'], ['tool 3'], ['new']]);
    expect(mirror.status().source).toMatchObject({ tier: 'change log' });
  });

  test('without a change log reads everything, says so, and begins to follow when it is there', async () => {
    await client.run(`${AGENTS} select evercache.unfollow('tools')`);
    const { mirror, view, names } = mirrorOf(client.client);
    await mirror.start();
    const other = view.get('3');
    expect(mirror.status().source).toMatchObject({ tier: 'snapshot', reason: expect.stringContaining('public.tools') });
    await client.run(`update tools set name = 'new' where id = 2`);
    expect(await mirror.refresh()).toMatchObject({ outcome: 'published', kind: 'snapshot', updated: 1, unchanged: 10 });
    expect([names('2'), view.get('3') === other]).toEqual([['new'], true]);
    await client.run(`select evercache.follow('tools')`);
    await mirror.refresh();
    expect(await mirror.refresh()).toMatchObject({ outcome: 'unchanged', kind: 'delta' });
  });
});

describe('a table or a view of a mirror', () => {
  const database = useAgentTables();

  test('takes part in a registry, which starts and stops it', async () => {
    const { mirror, view } = mirrorOf(database.pool);
    const registry = new CacheRegistry();
    expect(registry.register(view)).toBe(view);
    registry.register(mirror.tables.tools);
    await registry.startAll();
    expect([...registry].map(({ name, size }) => [name, size])).toEqual([
      ['tools of agents', 4],
      ['agents.tools', 3],
    ]);
    await registry.stopAll();
    expect([view.get('1'), view.size, view.status().state]).toEqual([undefined, 0, 'stopped']);
    await expect(view.fetch('1')).rejects.toMatchObject({ code: 'stopped', cache: 'tools of agents' });
    for (const face of [view, mirror.tables.tools]) {
      expect(() => face.snapshot()).toThrow(expect.objectContaining({ code: 'stopped' }));
    }
    await registry.startAll();
    expect(view.get('4')).toEqual([]);
  });

  test('is told of a change as it happens, where push is wanted', async () => {
    const { mirror, names } = mirrorOf(database.pool, { push: 'leader' });
    await mirror.start();
    await expect.poll(() => mirror.status().watching, { timeout: 10_000 }).toBe(true);
    await database.pool.query(`update tools set name = 'told' where id = 3`);
    await expect.poll(() => names('3'), { timeout: 10_000 }).toEqual(['told']);
    expect(mirror.status().source).toMatchObject({ push: { mode: 'leader' } });
  });

  test('may be stopped while it is being prepared, and started again', async () => {
    await database.pool.query(`insert into agents select n from generate_series(10, 9999) as n;
      insert into agent_tools select n, 1 from generate_series(10, 9999) as n`);
    const { mirror, view, names } = mirrorOf(database.pool);
    const ahead = mirror.view({ name: 'ahead', keys: 'agents', ahead: true, build: ({ id }) => ({ id }) });
    let ticks = 0;
    for (const wait of [0, 1, 2, 4, 8, 16]) {
      const started = mirror.start();
      while (mirror.status().lastRefresh === undefined) await new Promise((resolve) => setImmediate(resolve));
      for (let tick = 0; tick < wait; tick += 1) await new Promise((resolve) => setImmediate(resolve));
      await mirror.stop();
      await started;
      expect([view.get('1'), ahead.size, mirror.tables.links.get('["1","1"]')]).toEqual([undefined, 0, undefined]);
      ticks += wait;
    }
    await mirror.start();
    expect([names('1'), ahead.get('9999'), view.size, ticks]).toEqual([['tool 1', 'tool 2'], { id: 9999 }, 9994, 31]);
  });

  test('may be stopped by a listener of the load that is just being told of', async () => {
    const { mirror, view } = mirrorOf(database.pool);
    for (const event of ['state', 'refresh', 'change'] as const) {
      const off = mirror.on(event, () => void mirror.stop());
      await mirror.start();
      await mirror.stop();
      off();
      expect([view.get('1'), view.size]).toEqual([undefined, 0]);
      await mirror.start();
      expect(view.get('4')).toEqual([]);
    }
  });

  test('is unknown after an invalidation until everything was read again; others are not', async () => {
    const { mirror, view, names } = mirrorOf(database.pool);
    await mirror.start();
    const [first, other] = [view.get('1'), view.get('3')];
    // Nothing that the log would know of.
    await database.pool.query(`begin; alter table tools disable trigger all; update tools set name = 'unseen' where id = 2;
      alter table tools enable always trigger evercache_update; commit`);
    await view.invalidate('1');
    expect([view.get('1'), view.has('1'), view.inspect('1').state, view.get('3')]).toEqual([
      undefined,
      false,
      'unknown',
      other,
    ]);
    expect((await view.fetch('1'))?.map((tool) => tool?.name)).toEqual(['tool 1', 'unseen']);
    expect([view.get('1') === first, view.get('3') === other, names('2')]).toEqual([false, true, ['unseen']]);
    // A row that is invalidated takes with it what was made of it.
    await mirror.tables.tools.invalidate('2');
    expect([view.get('2'), view.get('3') === other, mirror.tables.tools.get('2')]).toEqual([
      undefined,
      true,
      undefined,
    ]);
    expect(await view.fetch('2')).toHaveLength(1);
    expect([...(await view.fetchMany(['1', '2', '3'])).keys()]).toEqual(['1', '2', '3']);
    await view.invalidateAll();
    expect([view.get('3'), view.size]).toEqual([undefined, 0]);
    expect(await view.fetch('3')).toEqual(other);
  });

  test('refuses keys and options that are none, also of what is in memory, and says where', async () => {
    const { mirror, view } = mirrorOf(database.pool);
    await mirror.start();
    const wrong = undefined as never;
    const { name } = view;
    for (const [method, refused] of [
      ['fetch', view.fetch(wrong)],
      ['fetchMany', view.fetchMany(['1', wrong])],
      ['warm', view.warm([wrong])],
      ['invalidate', view.invalidate(wrong)],
    ] as const) {
      const says = `cache "${name}": ${method}: expected a key to be a string, got undefined`;
      await expect(refused).rejects.toThrow(new TypeError(says));
    }
    await expect(view.fetch('1', { tiemout: 1 } as object)).rejects.toThrow('did you mean "timeout"?');
    await expect(view.fetchMany(['1'], { fresh: 'no' as never })).rejects.toThrow('expected a boolean, got "no"');
    for (const face of [mirror, view]) {
      const says = `cache "${mirror.name}": refresh: `;
      await expect(face.refresh({ keys: [5 as never] })).rejects.toThrow(`${says}expected a key to be a string`);
      for (const options of [null, 5, 'all', { ful: true }]) {
        await expect(face.refresh(options as never)).rejects.toThrow(says);
      }
    }
  });

  test('sees a key that came a moment ago as soon as it is asked for', async () => {
    const { mirror, view } = mirrorOf(database.pool, { negativeTtl: 0 });
    await mirror.start();
    await database.pool.query('insert into agents values (5); insert into agent_tools values (5, 3)');
    expect(view.get('5')).toBeUndefined();
    expect(await view.fetch('5')).toEqual([{ id: 3, name: 'tool 3' }]);
  });

  test('keeps the rows of a table that is suddenly empty until the next answer agrees', async () => {
    await database.pool.query('insert into agents select n from generate_series(10, 500) as n');
    const { mirror, view, names } = mirrorOf(database.pool);
    await mirror.start();
    await database.pool.query('delete from tools');
    expect(await view.refresh()).toMatchObject({ outcome: 'held', held: 3 });
    expect([names('1'), view.status().state]).toEqual([['tool 1', 'tool 2'], 'held']);
    expect(view.reject()).toBe(true);
    expect(await view.refresh()).toMatchObject({ outcome: 'held' });
    expect(names('1')).toEqual(['tool 1', 'tool 2']);
    expect(view.accept()).toBe(true);
    expect([names('1'), names('4')]).toEqual([[undefined, undefined], []]);
  });

  test('can be read over several awaits as it was at one moment', async () => {
    const { mirror, view } = mirrorOf(database.pool);
    await mirror.start();
    using snapshot = view.snapshot();
    using tools = mirror.tables.tools.snapshot();
    await database.pool.query(`update tools set name = 'new'; insert into agents values (9)`);
    await mirror.refresh();
    const all = [
      { id: 1, name: 'tool 1' },
      { id: 2, name: 'tool 2' },
    ];
    expect([snapshot.get('1'), snapshot.size, snapshot.has('9')]).toEqual([all, 4, false]);
    expect([tools.getMany(['1', '2']), tools.size, [...tools.keys()]]).toEqual([all, 3, ['1', '2', '3']]);
    expect(view.get('2')).toEqual([{ id: 2, name: 'new' }]);
    snapshot.close();
    expect(() => snapshot.get('1')).toThrow(CacheError);
  });

  test('derives what is computed once per value, and tells what has changed in keys of its own', async () => {
    const { mirror, view } = mirrorOf(database.pool);
    await mirror.start();
    let computed = 0;
    const counts = view.derive((tools) => {
      computed += 1;
      return tools.length;
    });
    for (let time = 0; time < 3; time += 1)
      expect([counts.get('1'), counts.get('4'), counts.get('x')]).toEqual([2, 0, undefined]);
    expect(computed).toBe(2);
    const seen: unknown[] = [];
    const offs = [view, mirror.tables.tools, mirror.tables.links, mirror].map((face) =>
      face.on('change', ({ added, updated, removed }) => seen.push([added, updated, removed].join(' | '))),
    );
    view.get('2');
    await database.pool.query(
      `update tools set name = 'x' where id = 2; delete from agent_tools where agent_id = 1 and tool_id = 1`,
    );
    await mirror.refresh();
    expect(seen.toSorted()).toEqual(
      [' | 1,2 | ', ' | 2 | ', ' |  | ["1","1"]', ' | tools:2 | links:["1","1"]'].toSorted(),
    );
    for (const off of offs) off();
    expect(computed).toBe(2);
    expect(counts.get('1')).toBe(1);
  });

  test('may be looked at by a listener as soon as anything is known of a generation', async () => {
    const { mirror, view, names } = mirrorOf(database.pool);
    await mirror.start();
    view.get('1');
    const seen: unknown[] = [];
    for (const event of ['change', 'refresh', 'state', 'quarantine'] as const) {
      mirror.on(event, () => seen.push(JSON.stringify([names('1'), names('2'), names('4')])));
    }
    await database.pool.query(`update tools set name = 'new' where id = 2; insert into agent_tools values (4, 2)`);
    await mirror.refresh();
    expect(new Set(seen)).toEqual(new Set(['[["tool 1","new"],["new"],["new"]]']));
  });

  test('is stale when its rows are, and gone when they are', async () => {
    const clock = new VirtualClock();
    const { pool, state } = fragile(database.url);
    const { mirror, view } = mirrorOf(pool, {
      clock,
      ttl: '5m',
      refreshInterval: '1m',
      staleIfError: '1h',
      softTimeout: 1,
    });
    await mirror.start();
    const value = view.get('1');
    state.isBroken = true;
    expect(await view.refresh()).toMatchObject({ outcome: 'failed' });
    await clock.advance(6 * 60_000);
    expect(view.inspect('1')).toMatchObject({ state: 'stale', value });
    expect(await view.fetch('1')).toBe(value);
    expect(view.stats().staleHits).toBeGreaterThan(0);
    await clock.advance(66 * 60_000);
    expect([view.get('1'), view.size, view.inspect('1').state]).toEqual([undefined, 0, 'unknown']);
    await expect(view.fetch('1')).rejects.toSatisfy(CacheError.isInstance);
    state.isBroken = false;
    await expect.poll(async () => (await mirror.refresh()).outcome).toBe('published');
    expect(view.get('1')).toEqual(value);
  });
});

describe('wrong options of a mirror', () => {
  const client = { query: async () => ({}), connect: async () => ({}) };
  const right = { name: 'x', client: openClient('pg', 'postgres://localhost/x').client, tables: { a: { table: 'a' } } };
  test.each([
    ['client', { ...right, client }, 'option "client": expected a pg Pool'],
    ['no tables', { ...right, tables: {} }, 'option "tables": expected at least one table'],
    ['a URL', { ...right, client: 'postgres://u:secret@host/db' }, 'or a PGlite instance, got a URL'],
    ['a name that is none', { ...right, tables: { 'a b': { table: 'a' } } }, 'expected names of letters'],
    ['an unknown option', { ...right, tables: { a: { tabel: 'a' } } }, 'unknown option "tables.a.tabel"'],
    [
      'no table',
      { ...right, tables: { a: {} } },
      'option "tables.a.table": expected the name of a table, got undefined',
    ],
    ['a key that is none', { ...right, tables: { a: { table: 'a', key: [] } } }, 'expected at least one column'],
    ['a wrong push', { ...right, push: 'loud' }, 'option "push"'],
    ['a source', { ...right, source: {} }, 'unknown option "source"'],
    ['a wrong time', { ...right, ttl: -1 }, 'option "ttl"'],
  ])('%s: one TypeError', (_name, options, message) => {
    expect(() => postgresMirror(options as never)).toThrow(TypeError);
    expect(() => postgresMirror(options as never)).toThrow(message);
  });

  test.each([
    [{}, 'option "name"'],
    [{ name: 'v', keys: 'b', build: (): number => 1 }, 'option "keys": expected one of a, got "b"'],
    [{ name: 'v', keys: 'a' }, 'option "build": expected a function'],
    [{ name: 'v', keys: 'a', build: (): number => 1, lazy: true }, 'unknown option "lazy"'],
    [{ name: 'v', keys: 'a', build: (): number => 1, whenRefused: 'all' }, 'option "whenRefused": expected a function'],
    [{ name: 'taken', keys: 'a', build: (): number => 1 }, 'option "name": expected a name of its own'],
  ])('of a view: %j', (options, message) => {
    const mirror = postgresMirror(right);
    mirror.view({ name: 'taken', keys: 'a', build: (): number => 1 });
    expect(() => mirror.view(options as never)).toThrow(message);
  });
});

/** A pool whose connections can be refused. */
function fragile(url: string) {
  const real = new Pool({ connectionString: url });
  onTestFinished(() => real.end());
  const state = { isBroken: false };
  const pool = new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'connect' || typeof value !== 'function') return value;
      return (...parameters: unknown[]) => {
        if (!state.isBroken) return Reflect.apply(value, target, parameters);
        const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        const callback = parameters.at(-1);
        return typeof callback === 'function' ? callback(error) : Promise.reject(error);
      };
    },
  });
  return { pool, state };
}
