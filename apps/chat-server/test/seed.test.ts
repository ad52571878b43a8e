import { describe, expect, it } from 'vitest';
import { embeddedDataDir } from '../../../test/support/embedded-directory.ts';
import { openDatabase } from '../src/database.ts';
import { generate } from '../src/generate.ts';
import { migrate } from '../src/migrate.ts';
import { seed } from '../src/seed.ts';
import { seedAgents, seedTools } from '../src/seed-data.ts';
import { bothDatabases } from './support/databases.ts';

const COUNTS = `select (select count(*)::int from agent_configurations) as agents, (select count(*)::int from tools) as tools,
  (select count(*)::int from agent_tools) as links, (select count(*)::int from api_keys) as keys,
  (select count(*)::int from demo_tasks) as tasks`;

describe.each(bothDatabases)('the demo on %s', (_, use) => {
  const test = use();

  it('has agents with tools in order, an override, and an agent without tools', async () => {
    const links = await test.database.query(
      `select agent_name, array_agg(name order by position) as tools, bool_or(config_override <> '{}') as overridden
       from agent_tools join agent_configurations as a on a.id = agent_id join tools as t on t.id = tool_id
       group by agent_name order by agent_name`,
    );
    expect(links).toEqual([
      {
        agent_name: 'email_digest_agent',
        tools: ['list_emails', 'count_unread_emails', 'search_emails', 'get_writing_style'],
        overridden: true,
      },
      {
        agent_name: 'shop_assistant',
        tools: ['search_products', 'get_product', 'get_shipping_policy', 'get_working_hours'],
        overridden: false,
      },
      {
        agent_name: 'task_coach',
        tools: ['list_tasks', 'count_open_tasks', 'search_tasks', 'get_working_hours'],
        overridden: true,
      },
    ]);
    expect(seedAgents.some(({ tools }) => tools.length === 0)).toBe(true);
    expect(seedTools.length).toBeGreaterThanOrEqual(10);
  });

  it('comes once: what an admin changed or deleted stays so', async () => {
    await test.database.query(`update agent_configurations set instructions = 'mine' where agent_name = 'listener'`);
    await test.database.query(`delete from agent_configurations where agent_name = 'task_coach'`);
    await test.database.query(`update tools set is_deleted = true where name = 'get_product'`);
    const [before] = await test.database.query(COUNTS);
    expect(await seed(test.database)).toEqual({ demoApiKey: undefined });
    const [after] = await test.database.query(COUNTS);
    expect(after).toEqual(before);
    const [listener] = await test.database.query(
      `select instructions from agent_configurations where agent_name = 'listener'`,
    );
    expect(listener).toEqual({ instructions: 'mine' });
  });
});

describe('seed', () => {
  it('gives the key of the demo user to one of two instances that start at once', async () => {
    const database = await openDatabase({ dataDir: embeddedDataDir() });
    await migrate(database);
    const reports = await Promise.all([seed(database), seed(database)]);
    expect(reports.filter(({ demoApiKey }) => demoApiKey !== undefined)).toHaveLength(1);
    await database.close();
  });

  it('writes nothing if one of its tools would not pass the check', async () => {
    const database = await openDatabase({ dataDir: embeddedDataDir() });
    await migrate(database);
    await database.query('revoke select (due_on) on demo_tasks from chat_tools');
    await expect(seed(database)).rejects.toThrow(/permission denied/);
    expect(await database.query('select name from tools')).toEqual([]);
    await database.close();
  });
});

describe.each(bothDatabases)('generate on %s', (_, use) => {
  const test = use();

  it('writes as many rows as asked for, in order, some with an override, some agents without tools', async () => {
    const generated = await generate(test.database, { agents: 300, tools: 60, linksPerAgent: 7 });
    expect(generated).toMatchObject({ tools: 60, links: 297 * 7 });
    expect(generated.agentNames).toHaveLength(300);
    const [found] = await test.database.query(
      `select count(*)::int as links, count(distinct agent_id)::int as agents,
              (count(*) filter (where config_override <> '{}') between 100 and 350) as overridden
       from agent_tools where agent_id in (select id from agent_configurations where agent_name = any($1::text[]))`,
      [generated.agentNames],
    );
    expect(found).toEqual({ links: 297 * 7, agents: 297, overridden: true });
  });

  it('makes the same rows from the same seed', async () => {
    const shape = (database: typeof test.database) =>
      database.query(
        `select agent_name, llm_config, name, kind, config, position, config_override from agent_configurations
         left join agent_tools on agent_id = agent_configurations.id left join tools on tools.id = tool_id
         where agent_name ~ '_5_\\d+$' order by agent_name, position`,
      );
    const other = await openDatabase({ dataDir: embeddedDataDir() });
    await migrate(other);
    for (const database of [test.database, other])
      await generate(database, { agents: 20, tools: 9, linksPerAgent: 3, seed: 5 });
    expect(await shape(other)).toEqual(await shape(test.database));
    await other.close();
  });
});
