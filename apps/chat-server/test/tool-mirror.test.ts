/** What an agent may call while one of its tools is wrong. */
import { describe, expect, it } from 'vitest';
import { InvalidRow } from '../src/agents/agent-rows.ts';
import { useAgents } from './support/agents.ts';
import { bothDatabases } from './support/databases.ts';

describe.each(bothDatabases)('while a tool of an agent is wrong, on %s', (_, use) => {
  const test = use();
  const agents = useAgents(test);

  async function change(sql: string): Promise<void> {
    await test.database.query(sql);
    await agents.bench.caches.tools.refresh();
  }

  const offered = async (agent: string): Promise<string[] | undefined> =>
    (await agents.bench.caches.tools.fetch(await agents.bench.idOf(agent)))?.map(({ name }) => name);

  it('the agent goes on with the tools it had, without those that were unlinked, switched off or deleted', async () => {
    const { tools } = agents.bench.caches;
    const id = await agents.bench.idOf('shop_assistant');
    const before = tools.get(id);
    expect(await offered('shop_assistant')).toEqual([
      'search_products',
      'get_product',
      'get_shipping_policy',
      'get_working_hours',
    ]);
    await change(`update tools set config = '{"valeu": 1}' where name = 'get_working_hours'`);
    expect(tools.inspect(id)).toMatchObject({ state: 'fresh', quarantined: expect.stringContaining('value') });
    expect(tools.get(id)).toBe(before);
    await change(`update tools set description = 'New.' where name = 'search_products'`);
    expect(tools.get(id)).toBe(before);
    expect(await agents.bench.ask('shop_assistant', 'call get_product {"sku": "x"}')).toContain('get_product ->');

    await change(`update agent_tools set is_deleted = true
      where agent_id = '${id}' and tool_id = (select id from tools where name = 'get_product')`);
    expect(await offered('shop_assistant')).toEqual(['search_products', 'get_shipping_policy', 'get_working_hours']);
    expect(tools.get(id)?.[0]).toBe(before?.[0]);
    await change(`update tools set is_active = false where name = 'get_shipping_policy'`);
    expect(await offered('shop_assistant')).toEqual(['search_products', 'get_working_hours']);
    await change(`update tools set is_deleted = true where name = 'get_working_hours'`);
    expect(await offered('shop_assistant')).toEqual(['search_products']);
    expect(tools.inspect(id).quarantined).toBeUndefined();
    expect(tools.get(id)?.[0]?.description).toBe('New.');
  });

  it('an invalidation lets go of the tools it had: nobody knows them until the row is right', async () => {
    const { tools } = agents.bench.caches;
    const load = () => agents.bench.ask('task_coach', 'hello', { sessionId: 'invalidated' });
    const before = await offered('task_coach');
    await change(`update tools set config = config || '{"userId": "robin"}' where name = 'list_tasks'`);
    expect(await offered('task_coach')).toEqual(before);
    for (const invalidate of [
      async () => tools.invalidate(await agents.bench.idOf('task_coach')),
      () => tools.invalidateAll(),
    ]) {
      await invalidate();
      await expect(load()).rejects.toThrow(InvalidRow);
      await change(`update tools set config = config - 'userId' where name = 'list_tasks'`);
      expect(await load()).toContain('hello');
      await change(`update tools set config = config || '{"userId": "robin"}' where name = 'list_tasks'`);
    }
  });
});
