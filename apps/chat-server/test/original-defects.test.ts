/**
 * What the server of the design document got wrong. Each title says what does not happen here. (What its HTTP side
 * got wrong is tested with the routes.)
 */
import { CacheError } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import { describe, expect, it } from 'vitest';
import { SessionNotFound } from '../src/not-found.ts';
import { appendMessages, loadMessages, openSession } from '../src/sessions.ts';
import { createToolView } from '../src/tool-mirror.ts';
import { type AgentBench, useAgents } from './support/agents.ts';
import { useSeededPostgres } from './support/databases.ts';

describe('the caches', () => {
  const test = useSeededPostgres();
  const agents = useAgents(test);
  const toolsOf = async (bench: AgentBench, name: string) => bench.caches.tools.fetch(await bench.idOf(name));

  /** The cache of tools with a clock of its own, to let time pass. */
  async function toolsWithClock(
    bench: AgentBench,
  ): Promise<{ tools: AgentBench['caches']['tools']; clock: VirtualClock }> {
    const clock = new VirtualClock();
    const tools = createToolView(bench.flaky.database, { clock });
    await tools.start();
    return { tools, clock };
  }

  it('a failing refresh never empties the tool list', async () => {
    const { bench } = agents;
    const before = await toolsOf(bench, 'task_coach');
    bench.flaky.down = true;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await bench.caches.tools.refresh()).toMatchObject({ outcome: 'failed' });
    }
    expect(await toolsOf(bench, 'task_coach')).toBe(before);
    expect(bench.caches.tools.status().state).toBe('degraded');
  });

  it('a failed load is not remembered as an empty list', async () => {
    const { bench } = agents;
    bench.flaky.down = true;
    await bench.caches.tools.invalidateAll();
    await expect(toolsOf(bench, 'task_coach')).rejects.toSatisfy(CacheError.isInstance);
    bench.flaky.down = false;
    await bench.caches.tools.refresh();
    expect(await toolsOf(bench, 'task_coach')).toHaveLength(4);
  });

  it('chats under way do not keep the caches from the database', async () => {
    const { bench } = agents;
    const holders = Array.from({ length: 20 }, () => bench.database.query('select pg_sleep(1)').catch(() => {}));
    const started = performance.now();
    expect(await bench.caches.tools.refresh()).toMatchObject({ outcome: 'unchanged' });
    expect(performance.now() - started).toBeLessThan(900);
    await Promise.all(holders);
  });

  it('an entry that a refresh has confirmed does not expire, and costs no query of its own', async () => {
    const { tools, clock } = await toolsWithClock(agents.bench);
    const id = await agents.bench.idOf('task_coach');
    for (let minute = 0; minute < 7; minute += 1) {
      await tools.refresh();
      await clock.advance(59_000);
      expect(tools.inspect(id).state).toBe('fresh');
    }
    const { sourceCalls } = tools.stats();
    await tools.fetch(id);
    expect(tools.stats().sourceCalls).toBe(sourceCalls);
    await tools.stop();
  });

  it('fifty readers of one missing key do not ask fifty times', async () => {
    const { tools } = agents.bench.caches;
    const id = await agents.bench.idOf('task_coach');
    await tools.invalidate(id);
    const { sourceCalls } = tools.stats();
    const answers = await Promise.all(Array.from({ length: 50 }, () => tools.fetch(id)));
    expect(new Set(answers).size).toBe(1);
    expect(tools.stats().sourceCalls - sourceCalls).toBeLessThanOrEqual(2); // the fetch, and the refresh it nudged
  });

  it('an expired list is not thrown away while the database is down', async () => {
    const { tools, clock } = await toolsWithClock(agents.bench);
    const id = await agents.bench.idOf('task_coach');
    agents.bench.flaky.down = true;
    await tools.refresh();
    await clock.advance(6 * 60_000);
    expect(tools.inspect(id).state).toBe('stale');
    expect(await tools.fetch(id)).toHaveLength(4);
    await tools.stop();
  });

  it('an agent without tools costs no query, refresh after refresh', async () => {
    const { bench } = agents;
    for (let round = 0; round < 3; round += 1) {
      await bench.caches.tools.refresh();
      const calls = bench.flaky.calls;
      expect(await bench.caches.tools.fetch(await bench.idOf('listener'))).toEqual([]);
      expect(bench.flaky.calls).toBe(calls);
    }
  });

  it('no reader can change what the next one gets', async () => {
    const { caches } = agents.bench;
    const [tool] = (await toolsOf(agents.bench, 'task_coach'))!;
    const agent = (await caches.agents.fetch('task_coach'))!;
    const changes: (() => unknown)[] = [
      () => Object.assign(tool!, { name: 'x' }),
      () => Object.assign(tool!.config as object, { statement: 'x' }),
      () => Object.assign(tool!.argsSchema.properties as object, { x: 1 }),
      () => Object.assign(agent, { isPublic: true }),
      () => (agent.allowedUsers as string[]).push('stranger'),
    ];
    for (const change of changes) expect(change).toThrow(TypeError);
  });

  it('an invalidation is not lost to an answer that was under way', async () => {
    const { tools } = agents.bench.caches;
    const id = await agents.bench.idOf('shop_assistant');
    await tools.invalidate(id);
    const early = tools.fetch(id);
    await test.database.query(`update tools set description = 'After.' where name = 'get_product'`);
    await tools.invalidate(id);
    const late = await tools.fetch(id);
    await early;
    expect(late?.find(({ name }) => name === 'get_product')?.description).toBe('After.');
    expect(tools.get(id)).toEqual(late);
  });

  it('names that nobody has do not grow the caches', async () => {
    const { bench } = agents;
    const names = Array.from({ length: 300 }, (_, index) => `made-up-${index}`);
    await Promise.all(names.map((name) => bench.ask(name, 'hello').catch(() => {})));
    expect(bench.caches.instructions.size).toBe(0);
    expect(bench.caches.agents.size).toBe(4);
    expect(bench.caches.tools.size).toBe(4);
  });

  it('tools have one order, and rows that did not change are not "changed"', async () => {
    await test.database.query(`update agent_tools set position = 7`);
    const { tools } = agents.bench.caches;
    await tools.refresh();
    const names = (await toolsOf(agents.bench, 'email_digest_agent'))?.map(({ name }) => name);
    expect(names).toEqual(['count_unread_emails', 'get_writing_style', 'list_emails', 'search_emails']);
    await test.database.query(`update agent_tools set position = 7`); // rewrites the rows: their place on disk changes
    expect(await tools.refresh()).toMatchObject({ outcome: 'unchanged', updated: 0 });
  });

  it('a start without a database is not called a success, and heals by itself', async () => {
    const { bench } = agents;
    await bench.caches.registry.stopAll();
    bench.flaky.down = true;
    await bench.caches.registry.startAll();
    expect(bench.caches.tools.status().state).toBe('degraded');
    await expect(bench.ask('listener', 'hello')).rejects.toSatisfy(CacheError.isInstance);
    bench.flaky.down = false;
    await expect.poll(() => bench.caches.tools.status().state, { timeout: 15_000 }).toBe('live');
    await expect.poll(() => bench.ask('listener', 'hello').catch(() => ''), { timeout: 15_000 }).toContain('hello');
  });

  it('a cache that was stopped serves nothing', async () => {
    const { caches, idOf } = agents.bench;
    const id = await idOf.call(agents.bench, 'listener');
    await caches.registry.stopAll();
    expect(caches.tools.get(id)).toBeUndefined();
    await expect(caches.tools.fetch(id)).rejects.toMatchObject({ code: 'stopped' });
  });

  it('one failing query does not take the connections of the others away', async () => {
    const { bench } = agents;
    const pid = async () => (await bench.database.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid;
    const before = await pid();
    await expect(bench.database.query('select nothing')).rejects.toThrow();
    expect(await pid()).toBe(before);
    expect(await bench.caches.tools.refresh()).toMatchObject({ outcome: 'unchanged' });
  });
});

describe('an agent', () => {
  const test = useSeededPostgres();
  const agents = useAgents(test);

  it('does not lose its tools to a blip of the database', async () => {
    const { bench } = agents;
    await bench.ask('shop_assistant', 'hello');
    bench.flaky.down = true;
    for (const cache of bench.caches.registry) await cache.refresh();
    bench.flaky.down = false;
    expect(await bench.ask('shop_assistant', 'call get_product {"sku": "NB-100"}')).toContain('890');
  });

  it('with an override does not work without it when it comes from the cache', async () => {
    expect(await agents.bench.ask('task_coach', 'call get_working_hours')).toContain('Friday afternoon');
  });

  it('does not mix two sessions of one user', async () => {
    const { bench } = agents;
    const load = (sessionId: string) =>
      bench.loader.loadAgentExecutor({ agentName: 'listener', userId: 'demo', sessionId });
    const [first, second] = await Promise.all([load('one'), load('two')]);
    const answers = await Promise.all([first.generate({ prompt: 'first' }), second.generate({ prompt: 'second' })]);
    expect(answers.map(({ text }) => text.split(' ').at(-1))).toEqual(['first', 'second']);
    expect(bench.model.calls.at(-1)?.prompt.filter(({ role }) => role === 'user')).toHaveLength(1);
  });

  it('does not go on with rows that were changed: one refresh later the next answer knows', async () => {
    const { bench } = agents;
    await bench.ask('shop_assistant', 'hello');
    await test.database.query(
      `update agent_configurations set instructions = 'Be new.' where agent_name = 'shop_assistant'`,
    );
    await test.database.query(`update tools set config = '{"value": "24 hours"}' where name = 'get_working_hours'`);
    await bench.caches.agents.refresh();
    await bench.caches.tools.refresh();
    expect(await bench.ask('shop_assistant', 'call get_working_hours')).toContain('24 hours');
    expect(bench.model.lastInstructions).toBe('Be new.');
  });

  it('does not go on with instructions that its user changed', async () => {
    const { bench } = agents;
    await bench.ask('email_digest_agent', 'hello');
    await test.database.query(`update user_agent_instructions set instructions = 'Only the bank.'`);
    await bench.caches.instructions.refresh();
    await bench.ask('email_digest_agent', 'hello');
    expect(bench.model.lastInstructions).toContain('Only the bank.');
  });

  it('does not wrap its tools once more with each request', async () => {
    const { loader } = agents.bench;
    const load = async () =>
      (await loader.loadAgentExecutor({ agentName: 'task_coach', userId: 'demo', sessionId: 's' })).tools;
    const first = await load();
    for (let request = 0; request < 10; request += 1) expect(await load()).toBe(first);
  });

  it('does not let a row say who the user is, and does not drop a wrong row silently', async () => {
    const { bench } = agents;
    const before = await bench.ask('task_coach', 'call list_tasks {}');
    await test.database.query(`update tools set config = config || '{"userId": "robin"}' where name = 'list_tasks'`);
    await bench.caches.tools.refresh();
    expect(bench.caches.tools.status().quarantine).toMatchObject([{ message: expect.stringContaining('list_tasks') }]);
    expect(await bench.ask('task_coach', 'call list_tasks {}')).toBe(before);
    await test.database.query(`update tools set config = config - 'userId' where name = 'list_tasks'`);
  });

  it('does not hand the words of a database error, or a column that was not granted, to the model', async () => {
    const { bench } = agents;
    await test.database.query(
      `update tools set config = jsonb_set(config, '{statement}', '"select internal_note from demo_tasks where user_id = $1"')
       where name = 'count_open_tasks'`,
    );
    await bench.caches.tools.refresh();
    expect(await bench.ask('task_coach', 'call count_open_tasks')).toBe(
      'count_open_tasks -> ToolError: The tool failed.',
    );
  });

  it('does not follow instructions that its user switched off', async () => {
    const { bench } = agents;
    await test.database.query(`update user_agent_instructions set is_active = false`);
    for (const useCache of [true, false]) {
      await bench.ask('email_digest_agent', 'hello', { useCache });
      expect(bench.model.lastInstructions).not.toContain('Instructions of this user');
    }
  });

  it('does not break over braces in the instructions of a user', async () => {
    const { bench } = agents;
    await test.database.query(
      `update user_agent_instructions set is_active = true, instructions = 'Say {x} and {{y}}, not {'`,
    );
    await bench.ask('email_digest_agent', 'hello');
    expect(bench.model.lastInstructions).toMatch(/Say \{x\} and \{\{y\}\}, not \{$/);
  });

  it('is not open to every user who knows its name', async () => {
    await expect(agents.bench.ask('task_coach', 'hello', { userId: 'stranger' })).rejects.toThrow('no such agent');
    expect(await agents.bench.ask('task_coach', 'hello', { userId: 'demo' })).toContain('hello');
  });

  it('does not ignore max_tokens, and does not take an unknown provider for another', async () => {
    const { bench } = agents;
    await bench.ask('task_coach', 'hello');
    expect(bench.model.calls.at(-1)).toMatchObject({ maxOutputTokens: 1000, temperature: 0.5 });
    await test.database.query(
      `update agent_configurations set llm_config = '{"provider": "claud"}' where agent_name = 'task_coach'`,
    );
    await bench.caches.agents.refresh();
    expect(bench.caches.agents.status().quarantine).toMatchObject([{ message: expect.stringContaining('provider') }]);
  });
});

describe('a conversation', () => {
  const test = useSeededPostgres();

  it('is not open to every user who knows its id', async () => {
    const sessionId = 'known-to-many';
    await openSession(test.database, { sessionId, userId: 'demo', agentName: 'listener' });
    await appendMessages(test.database, { sessionId, userId: 'demo' }, [{ role: 'user', content: 'secret' }]);
    expect(await loadMessages(test.database, { sessionId, userId: 'robin' })).toEqual([]);
    const added = appendMessages(test.database, { sessionId, userId: 'robin' }, [{ role: 'user', content: 'x' }]);
    await expect(added).rejects.toThrow(SessionNotFound);
  });
});
