/** What is left of a mirror when writers have come to rest, and what readers saw of it meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { type FollowBy, postgresMirror } from '../src/index.ts';
import { openClient } from './use-client.ts';
import { useAgentTables } from './use-mirror.ts';

/** Whoever writes to an agent writes the same version to its badge, in one transaction. */
const database = useAgentTables(`
  drop table if exists badges; create table badges (id int primary key, version int not null);
  alter table agents add version int not null default 0;
  insert into badges select id, version from agents;
  select evercache.follow('badges'), evercache.follow('agents');
`);

function mirrorOf(client: Parameters<typeof postgresMirror>[0]['client'], followBy: FollowBy = 'log') {
  const mirror = postgresMirror({
    name: 'all',
    client,
    followBy,
    refreshInterval: '1h',
    ttl: '2h',
    tables: {
      agents: { table: 'agents' },
      badges: { table: 'badges' },
      links: { table: 'agent_tools', indexes: ['agent_id', 'tool_id'] },
      tools: { table: 'tools' },
    },
  });
  onTestFinished(() => mirror.stop());
  const view = mirror.view({
    name: 'view',
    keys: 'agents',
    build: ({ id, version }, read) => ({
      versions: [version, read.badges.get(id)?.version],
      tools: read.links.by('agent_id', id).map(({ tool_id }) => [tool_id, read.tools.get(tool_id)?.name ?? null]),
    }),
  });
  const users = mirror.view({
    name: 'users',
    keys: 'tools',
    build: ({ id }, read) => read.links.by('tool_id', id).map(({ agent_id }) => agent_id),
  });
  return { mirror, view, users };
}

test('every generation is one moment of all tables, and every view is what the tables say', {
  timeout: 40_000,
}, async () => {
  const clients = [openClient('pg', database.url), openClient('postgres.js', database.url)];
  for (const { close } of clients) onTestFinished(close);
  const followers = [
    mirrorOf(database.pool),
    mirrorOf(database.pool, 'xmin'),
    ...clients.map(({ client }) => mirrorOf(client)),
  ];
  const torn: unknown[] = [];
  let looks = 0;
  for (const { mirror, view } of followers) {
    const look = (): void => {
      looks += 1;
      for (const [key, { versions }] of view.entries()) if (versions[0] !== versions[1]) torn.push([key, versions]);
    };
    view.on('change', look);
    mirror.on('refresh', look);
    await mirror.start();
  }
  let running = true;
  const writing = Array.from({ length: 6 }, () => writeAtRandom(database.url, () => running));
  const following = followers.map(async ({ mirror, view }, index) => {
    while (running) {
      const refresh = mirror.refresh();
      for (const key of ['1', '2', '7']) view.get(key);
      await refresh;
      await sleep([3, 5, 20, 150][index]);
    }
  });
  const pruning = (async () => {
    for (; running; await sleep(200)) await database.pool.query(`select evercache.prune('100 milliseconds')`);
  })();
  await sleep(4000);
  running = false;
  const transactions = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
  await Promise.all([...following, pruning]);
  for (const { mirror } of followers) {
    const { outcome } = await mirror.refresh();
    // The last thing that happened was a TRUNCATE: the second answer in a row makes it true.
    if (outcome === 'held') await mirror.refresh();
  }

  const rowsOf = async (sql: string) => (await database.pool.query(sql)).rows;
  const agents =
    await rowsOf(`select a.id::text as key, json_build_object('versions', json_build_array(a.version, b.version),
      'tools', coalesce((select json_agg(json_build_array(l.tool_id, t.name) order by to_json(array[l.agent_id::text, l.tool_id::text])::text collate "C")
        from agent_tools as l left join tools as t on t.id = l.tool_id where l.agent_id = a.id), '[]')) as value
    from agents as a left join badges as b using (id)`);
  const users = await rowsOf(`select t.id::text as key, coalesce((select json_agg(l.agent_id
      order by to_json(array[l.agent_id::text, l.tool_id::text])::text collate "C")
      from agent_tools as l where l.tool_id = t.id), '[]') as value from tools as t`);
  const truth = (rows: { key: string; value: unknown }[]) => new Map(rows.map(({ key, value }) => [key, value]));
  for (const follower of followers) {
    expect(new Map(follower.view.entries())).toEqual(truth(agents));
    expect(new Map(follower.users.entries())).toEqual(truth(users));
    // Built from nothing over the same rows and indexes built from nothing.
    const anew = mirrorOf(database.pool);
    await anew.mirror.start();
    expect(new Map(follower.view.entries())).toEqual(new Map(anew.view.entries()));
  }
  const tiers = followers.map(({ mirror }) => mirror.status().source?.tier);
  expect(tiers).toEqual(['change log', 'xmin', 'change log', 'change log']);
  expect(torn).toEqual([]);
  expect(transactions).toBeGreaterThan(50);
  expect(looks).toBeGreaterThan(50);
  const kinds = followers[0]!.mirror.reports().map(({ kind }) => kind);
  expect(kinds).toContain('delta');
});

/** Transactions of every kind until told to stop; how many were committed. */
async function writeAtRandom(url: string, running: () => boolean): Promise<number> {
  const client = new Client(url);
  await client.connect();
  await client.query(`set deadlock_timeout = '10ms'`);
  const below = (limit: number): number => Math.floor(Math.random() * limit);
  const id = (): number => 1 + below(12);
  // Two statements see two moments: nobody else may write in between.
  const lock = (agent: number): string => `select pg_advisory_xact_lock(${agent})`;
  const touch = (): string => {
    const [agent, version] = [id(), below(1e9)];
    return `${lock(agent)}; update agents set version = ${version} where id = ${agent}; update badges set version = ${version} where id = ${agent}`;
  };
  const statements = [
    touch,
    touch,
    () => {
      const [agent, version] = [id(), below(1e9)];
      return `${lock(agent)}; delete from agents where id = ${agent}; delete from badges where id = ${agent};
        insert into badges values (${agent}, ${version}); insert into agents values (${agent}, ${version})`;
    },
    () => {
      const agent = id();
      return `${lock(agent)}; delete from agents where id = ${agent}; delete from badges where id = ${agent}`;
    },
    () => `insert into agent_tools values (${id()}, ${id()}) on conflict do nothing`,
    () => `delete from agent_tools where agent_id = ${id()} and tool_id = ${id()}`,
    () => `update agent_tools set tool_id = ${id()} where agent_id = ${id()} and tool_id = ${id()}`,
    () => `insert into tools values (${id()}, 'x${below(1e9)}') on conflict (id) do update set name = excluded.name`,
    () => `delete from tools where id = ${id()}`,
    () => (below(40) === 0 ? 'truncate agent_tools' : touch()),
  ];
  let committed = 0;
  while (running()) {
    try {
      await client.query('begin');
      for (let step = below(4); step >= 0; step -= 1) {
        const isNested = below(3) === 0;
        if (isNested) await client.query('savepoint s');
        await client.query(statements[below(statements.length)]!());
        if (isNested) await client.query(below(2) === 0 ? 'release s' : 'rollback to s');
        if (below(3) === 0) await sleep(below(40) === 0 ? 150 : below(5));
      }
      await client.query(below(6) === 0 ? 'rollback' : 'commit');
      committed += 1;
    } catch {
      // A deadlock or a key that is taken.
      await client.query('rollback');
    }
  }
  await client.end();
  return committed;
}
