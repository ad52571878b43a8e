/** What a view over mirrored tables holds, and when it is dropped. */
import type { StandardSchema } from 'evercache';
import { expect, onTestFinished, test } from 'vitest';
import { postgresMirror } from '../src/index.ts';
import { mirrorOf, useAgentTables } from './use-mirror.ts';

const database = useAgentTables();

test('a view joins the rows of several tables, in the order of their keys, and knows what exists', async () => {
  const { mirror, view, names } = mirrorOf(database.pool);
  expect([view.get('1'), view.size]).toEqual([undefined, 0]);
  await mirror.start();
  expect(['1', '2', '3', '4'].map(names)).toEqual([['tool 1', 'tool 2'], ['tool 2'], ['tool 3'], []]);
  expect([view.get('9'), await view.fetch('9'), view.has('4'), view.has('9')]).toEqual([
    undefined,
    undefined,
    true,
    false,
  ]);
  expect([view.size, [...view.keys()], [...view.entries()].length]).toEqual([4, ['1', '2', '3', '4'], 4]);
  expect([...(await view.fetchMany(['4', '9', '1'])).keys()]).toEqual(['4', '1']);
  expect(view.getMany(['4', '9'])).toEqual([[], undefined]);
  expect(await view.warm(['1', '9'])).toEqual({ requested: 2, loaded: 1, absent: 1, failed: 0 });
  expect(view.inspect('4')).toMatchObject({ state: 'fresh', value: [], generation: 1 });
  expect(view.inspect('9').state).toBe('absent');
  expect(view.status()).toMatchObject({ name: 'tools of agents', state: 'live', size: 4 });
  expect(mirror.status()).toMatchObject({ name: 'agents', size: 11, source: { tier: 'change log' } });
  expect(mirror.tables.links.get('["1","2"]')).toEqual({ agent_id: 1, tool_id: 2 });
});

test('a row that many use is read once when it changes, and drops exactly what was made of it', async () => {
  await database.pool.query(`insert into agents select n from generate_series(10, 309) as n;
    insert into agent_tools select n, 1 from generate_series(10, 309) as n`);
  const { mirror, view, counts } = mirrorOf(database.pool);
  await mirror.start();
  const users = [...view.keys()].filter((key) => view.get(key)?.some((tool) => tool?.id === 1));
  const others = ['2', '3', '4'].map((key) => view.get(key));
  expect([users.length, counts.built]).toEqual([301, 304]);
  const changes: unknown[] = [];
  view.on('change', (change) => changes.push(change));
  counts.read = counts.built = 0;
  await database.pool.query(`update tools set name = 'renamed' where id = 1`);
  expect(await view.refresh()).toMatchObject({ outcome: 'published', kind: 'delta', updated: 1 });
  expect(counts).toEqual({ read: 1, built: 0 });
  expect(changes).toEqual([{ generation: 2, added: [], updated: expect.arrayContaining(users), removed: [] }]);
  expect((changes[0] as { updated: string[] }).updated).toHaveLength(301);
  for (const key of users) expect(view.get(key)?.[0]).toBe(mirror.tables.tools.get('1'));
  for (const [index, key] of ['2', '3', '4'].entries()) expect(view.get(key)).toBe(others[index]);
  expect(counts).toEqual({ read: 1, built: 301 });
});

test('the end of a refresh is told when what it published can be read, however much that is', async () => {
  const { mirror, view } = mirrorOf(database.pool);
  await mirror.start();
  const seen: unknown[] = [];
  for (const face of [mirror, view, mirror.tables.agents]) {
    face.on('refresh', ({ added, sampleKeys }) => seen.push([added, sampleKeys.length, mirror.tables.agents.size]));
  }
  await database.pool.query('insert into agents select n from generate_series(10, 3009) as n');
  await mirror.refresh();
  expect(seen).toEqual(Array(3).fill([3000, 10, 3004]));
});

test('a link that comes, goes or moves drops the agents it is of, and no other', async () => {
  const { mirror, view, names, counts } = mirrorOf(database.pool);
  await mirror.start();
  const before = ['1', '2', '3', '4'].map((key) => view.get(key));
  const changed = async (sql: string): Promise<unknown> => {
    counts.built = 0;
    await database.pool.query(sql);
    await view.refresh();
    const same = ['1', '2', '3', '4'].filter((key, index) => view.get(key) === before[index]);
    for (const key of ['1', '2', '3', '4']) before[Number(key) - 1] = view.get(key);
    return [same.join(' '), counts.built];
  };
  expect(await changed('insert into agent_tools values (4, 3)')).toEqual(['1 2 3', 1]);
  expect(await changed('delete from agent_tools where agent_id = 1 and tool_id = 1')).toEqual(['2 3 4', 1]);
  expect(await changed('update agent_tools set agent_id = 2 where agent_id = 3')).toEqual(['1 4', 2]);
  expect(['1', '2', '3', '4'].map(names)).toEqual([['tool 2'], ['tool 2', 'tool 3'], [], ['tool 3']]);
  expect(await changed(`insert into tools values (9, 'used by nobody')`)).toEqual(['1 2 3 4', 0]);
  expect(await changed('delete from agents where id = 2')).toEqual(['1 3 4', 0]);
  expect([view.get('2'), view.size]).toEqual([undefined, 3]);
});

test('a link to a tool that is not there yet sees it when it comes', async () => {
  const { mirror, names } = mirrorOf(database.pool);
  await database.pool.query('insert into agent_tools values (4, 8)');
  await mirror.start();
  expect(names('4')).toEqual([undefined]);
  await database.pool.query(`insert into tools values (8, 'late')`);
  await mirror.refresh();
  expect(names('4')).toEqual(['late']);
});

test('a value that is built again and is equal is the same object, frozen to the bottom', async () => {
  const { mirror } = mirrorOf(database.pool);
  let built = 0;
  const first = mirror.view({
    name: 'first letters',
    keys: 'agents',
    build: (agent, read) => {
      built += 1;
      const links = read.links.by('agent_id', agent.id);
      return { letters: links.map((link) => read.tools.get(link.tool_id)?.name.slice(0, 1)), of: { id: agent.id } };
    },
  });
  await mirror.start();
  const value = first.get('1');
  expect(() => value?.letters.push('x')).toThrow(TypeError);
  expect(() => Object.assign(value!.of, { id: 2 })).toThrow(TypeError);
  await database.pool.query(`update tools set name = 'tenth' where id = 2`);
  await mirror.refresh();
  expect([first.get('1') === value, built]).toEqual([true, 2]);
  // A TRUNCATE is a resync, which keeps what is equal, too.
  await database.pool.query(`begin; create temporary table kept on commit drop as select * from tools; truncate tools;
    insert into tools select * from kept; commit`);
  expect(await mirror.refresh()).toMatchObject({ outcome: 'unchanged', kind: 'snapshot', reason: 'resync' });
  expect([first.get('1') === value, built]).toEqual([true, 2]);
});

test('many changes are prepared aside and shown in one step; nobody reads a mixture', async () => {
  await database.pool.query(`insert into tools select n, 'old' from generate_series(10, 3009) as n;
    insert into agents select n from generate_series(10, 3009) as n;
    insert into agent_tools select n, n from generate_series(10, 3009) as n`);
  const { mirror, view, names } = mirrorOf(database.pool);
  await mirror.start();
  const [first, last, other] = [view.get('10'), view.get('3009'), view.get('1')];
  await database.pool.query(`begin; update tools set name = 'new' where id >= 10 and id < 2900;
    update agent_tools set tool_id = 1 where agent_id >= 10 and agent_id < 1000; commit`);
  let mixed = 0;
  let isOver = false;
  const refreshed = mirror.refresh().finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const seen = JSON.stringify([names('10'), names('2500')]);
    if (!['[["old"],["old"]]', '[["tool 1"],["new"]]'].includes(seen)) mixed += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await refreshed).toMatchObject({ outcome: 'published', kind: 'delta', updated: 2890 });
  expect([mixed, names('10'), names('2500')]).toEqual([0, ['tool 1'], ['new']]);
  expect([view.get('10') === first, view.get('3009') === last, view.get('1') === other]).toEqual([false, true, true]);
});

test('an error or a refused value costs one key: its last good value stays, and it is listed', async () => {
  const { mirror } = mirrorOf(database.pool);
  const options = {
    keys: 'agents',
    schema: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          (value as string[]).includes('bad')
            ? { issues: [{ message: 'has a bad tool' }] }
            : { value: value as string[] },
      },
    },
  } as const;
  const view = mirror.view({
    ...options,
    name: 'names',
    ahead: true,
    build: (agent, read) =>
      read.links.by('agent_id', agent.id).map((link) => {
        const { name } = read.tools.get(link.tool_id)!;
        if (name === 'broken') throw new RangeError('of the build');
        return name;
      }),
  });
  const quarantined: unknown[] = [];
  view.on('quarantine', (event) => quarantined.push(event));
  await mirror.start();
  await database.pool.query(
    `update tools set name = 'bad' where id = 1; update tools set name = 'broken' where id = 3`,
  );
  await view.refresh();
  const expected = [
    { key: '1', message: 'has a bad tool' },
    { key: '3', message: 'build threw RangeError' },
  ];
  expect(quarantined).toEqual(expected);
  expect(view.status().quarantine).toMatchObject(expected);
  expect([view.get('1'), view.get('2'), view.get('3')]).toEqual([['tool 1', 'tool 2'], ['tool 2'], ['tool 3']]);
  expect(view.inspect('1')).toMatchObject({ state: 'fresh', quarantined: 'has a bad tool' });
  await database.pool.query('insert into agents values (5); insert into agent_tools values (5, 1)');
  await view.refresh();
  expect(view.get('5')).toBeUndefined();
  await expect(view.fetch('5')).rejects.toMatchObject({ code: 'source-failed', cache: 'names', key: '5' });
  await expect(view.fetchMany(['5', '2'])).rejects.toMatchObject({ partial: new Map([['2', ['tool 2']]]) });
  await database.pool.query(`update tools set name = 'good' where id = 1`);
  await view.refresh();
  expect([view.get('1'), view.get('5')]).toEqual([['good', 'tool 2'], ['good']]);
  expect(view.status().quarantine).toMatchObject([{ key: '3' }]);
});

test('of a last good value a view serves what it is told to, by what the tables say now', async () => {
  const { mirror } = mirrorOf(database.pool);
  const notBad: StandardSchema<string[]> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        (value as string[]).includes('bad') ? { issues: [{ message: 'is bad' }] } : { value: value as string[] },
    },
  };
  const view = mirror.view({
    name: 'names',
    keys: 'agents',
    schema: notBad,
    build: (agent, read) => read.links.by('agent_id', agent.id).map((link) => read.tools.get(link.tool_id)!.name),
    whenRefused: (names, _agent, read, key) => {
      if (read.agents.get(3) === undefined) throw new RangeError('of the view');
      const kept = names.filter((name) => read.tools.get(name.slice('tool '.length)) !== undefined);
      return key === '2' && kept.length === 0 ? (undefined as never) : kept;
    },
  });
  await mirror.start();
  const changed = async (sql: string): Promise<unknown[]> => {
    await database.pool.query(sql);
    await view.refresh();
    return ['1', '2'].map((key) => view.get(key));
  };
  const before = [view.get('1'), view.get('2')];
  const refused = await changed(`insert into tools values (7, 'bad'); insert into agent_tools values (1, 7), (2, 7)`);
  expect(refused.map((value, index) => value === before[index])).toEqual([true, true]);
  // Looked at by nobody but the function, since the link has gone.
  expect(await changed('delete from agent_tools where tool_id = 2')).toEqual(before);
  expect(await changed('delete from tools where id = 2')).toEqual([['tool 1'], undefined]);
  expect(view.inspect('1')).toMatchObject({ state: 'fresh', quarantined: 'is bad' });
  expect(() => (view.get('1') as string[]).push('x')).toThrow(TypeError);
  await expect(view.fetch('2')).rejects.toMatchObject({ code: 'source-failed', key: '2' });
  // What was left out does not come back before all is well.
  expect(await changed(`insert into tools values (2, 'tool 2')`)).toEqual([['tool 1'], undefined]);
  expect(await changed('delete from agents where id = 3')).toEqual([undefined, undefined]);
  expect(await changed(`update tools set name = 'good' where id = 7`)).toEqual([['tool 1', 'good'], ['good']]);
});

test('a view that is built ahead is ready when the start is, and keeps up', async () => {
  const { mirror } = mirrorOf(database.pool);
  const built: string[] = [];
  const view = mirror.view({
    name: 'ahead',
    keys: 'agents',
    ahead: true,
    build: (agent, read, key) => {
      built.push(key);
      return read.links.by('agent_id', agent.id).length;
    },
  });
  await mirror.start();
  expect(built.splice(0)).toEqual(['1', '2', '3', '4']);
  await database.pool.query('insert into agent_tools values (3, 1); insert into agents values (5)');
  await mirror.refresh();
  expect(built.splice(0).toSorted()).toEqual(['3', '5']);
  expect([view.get('3'), view.get('5'), built]).toEqual([2, 0, []]);
});

test('tables with keys of several columns, conditions and schemas are mirrored as they say', async () => {
  await database.pool.query(`drop table if exists parts; create table parts (
      area text, no bigint, colour text, weight numeric, gone boolean not null default false, primary key (no, area));
    insert into parts values ('"a", b', 1, 'red', 1.50, false), ('c\\d', 2, 'blue', 2.5, false), ('e', 2, 'none', 0, true);
    select evercache.follow('parts')`);
  const mirror = postgresMirror({
    name: 'parts',
    client: database.pool,
    tables: {
      parts: {
        table: 'parts',
        columns: ['colour'],
        where: 'not gone',
        indexes: ['colour'],
        schema: {
          '~standard': {
            version: 1,
            vendor: 'test',
            validate: (row: unknown) => {
              const { colour } = row as { colour: string };
              return colour === 'mud' ? { issues: [{ message: 'no colour' }] } : { value: { colour } };
            },
          },
        },
      },
    },
  });
  onTestFinished(() => mirror.stop());
  const { parts } = mirror.tables;
  const twins = mirror.view({
    name: 'twins',
    keys: 'parts',
    build: (part, read) => read.parts.by('colour', part.colour).length,
  });
  await mirror.start();
  const [first, second] = [JSON.stringify(['1', '"a", b']), JSON.stringify(['2', 'c\\d'])];
  expect([...parts.entries()]).toEqual([
    [first, { colour: 'red' }],
    [second, { colour: 'blue' }],
  ]);
  await database.pool.query(`update parts set gone = false, colour = 'red' where area = 'e';
    update parts set colour = 'mud' where no = 1; delete from parts where no = 2 and area like 'c%'`);
  expect(await mirror.refresh()).toMatchObject({ kind: 'delta', added: 1, removed: 1, quarantined: 1 });
  expect([...parts.keys()]).toEqual([first, '["2","e"]']);
  expect(parts.status().quarantine).toMatchObject([{ key: first, message: 'no colour' }]);
  expect([parts.get(first), twins.get('["2","e"]')]).toEqual([{ colour: 'red' }, 2]);
  // 3,000 of them: by cursor.
  await database.pool.query(`insert into parts select 'n', n, 'green' from generate_series(100, 3099) as n`);
  expect(await mirror.refresh()).toMatchObject({ kind: 'delta', added: 3000 });
  expect([parts.size, twins.get('["100","n"]')]).toEqual([3002, 3000]);
});
