import { CacheError } from 'evercache';
import { describe, expect, it } from 'vitest';
import { InvalidRow } from '../src/agents/agent-rows.ts';
import { DatabaseUnavailable } from '../src/database-unavailable.ts';
import { generate } from '../src/generate.ts';
import { AgentNotFound } from '../src/not-found.ts';
import { seedAgents } from '../src/seed-data.ts';
import { AgentBench, useAgents } from './support/agents.ts';
import { bothDatabases, usePGlite } from './support/databases.ts';

/** A call for each tool that its schema accepts. */
const CALLS = [
  'call list_emails {"unread_only": true}',
  'call search_emails {"text": "offer"}',
  'call count_unread_emails {}',
  'call list_tasks {"status": "open"}',
  'call search_tasks {"text": "passport"}',
  'call count_open_tasks {}',
  'call search_products {"text": "notebook", "max_price_cents": 1000}',
  'call get_product {"sku": "NB-100"}',
  'call get_shipping_policy {"region": "europe"}',
  'call get_working_hours {}',
  'call get_writing_style {}',
];

describe.each(bothDatabases)('cached and uncached agents on %s', (_, use) => {
  const test = use();
  const agents = useAgents(test);

  it.each(seedAgents.map((agent) => [agent.agent_name, agent.tools] as const))(
    'are equal: %s shows the model the same, and all its tools answer the same',
    async (agentName, tools) => {
      const names = tools.map((tool) => (typeof tool === 'string' ? tool : tool[0]));
      const prompt = names.map((name) => CALLS.find((call) => call.startsWith(`call ${name} `))).join('\n');
      const answers: string[] = [];
      const shown: unknown[] = [];
      for (const useCache of [true, false, true]) {
        agents.bench.model.calls.length = 0;
        answers.push(await agents.bench.ask(agentName, prompt, { useCache }));
        const {
          prompt: messages,
          tools: offered,
          maxOutputTokens,
          temperature,
          toolChoice,
        } = agents.bench.model.calls[0]!;
        shown.push(structuredClone({ messages, offered, maxOutputTokens, temperature, toolChoice }));
        expect(offered?.map(({ name }) => name) ?? []).toEqual(names);
      }
      expect(answers[1]).toBe(answers[0]);
      expect(answers[2]).toBe(answers[0]);
      expect(shown[1]).toEqual(shown[0]);
      expect(shown[2]).toEqual(shown[0]);
      for (const name of names) expect(answers[0]).toContain(`${name} -> {`);
      expect(answers[0]).not.toMatch(/error/i);
    },
  );

  it('are equal over many generated agents', async () => {
    const { agentNames } = await generate(test.database, { agents: 40, tools: 30, linksPerAgent: 6, seed: 77 });
    const { caches, model, loader } = agents.bench;
    await caches.agents.refresh();
    await caches.tools.refresh();
    for (const agentName of agentNames) {
      const shown = [];
      for (const useCache of [true, false]) {
        const agent = await loader.loadAgentExecutor({ agentName, userId: 'u', sessionId: 's', useCache });
        await agent.generate({ prompt: 'hello' });
        const { prompt, tools, maxOutputTokens, temperature } = model.calls.at(-1)!;
        shown.push(structuredClone({ prompt, tools, maxOutputTokens, temperature }));
      }
      expect(shown[1]).toEqual(shown[0]);
    }
  });

  it('both know the override of an agent', async () => {
    for (const useCache of [true, false]) {
      expect(await agents.bench.ask('task_coach', 'call get_working_hours', { useCache })).toContain(
        'Friday afternoon',
      );
      expect(await agents.bench.ask('shop_assistant', 'call get_working_hours', { useCache })).not.toContain(
        'Friday afternoon',
      );
    }
  });
});

describe('loadAgentExecutor', () => {
  const test = usePGlite();
  const agents = useAgents(test);
  const demo = { userId: 'demo', sessionId: 's' };

  it('costs no statement once the rows are in memory, however often it is called', async () => {
    const { bench } = agents;
    await bench.ask('listener', 'hello');
    const calls = bench.flaky.calls;
    for (let load = 0; load < 1000; load += 1) {
      await bench.loader.loadAgentExecutorDbCached({ agentName: 'listener', ...demo, sessionId: `s${load}` });
    }
    expect(bench.flaky.calls).toBe(calls);
  });

  it('reads instructions again for all users in one statement, and none per load', async () => {
    const { bench } = agents;
    for (let user = 0; user < 50; user += 1) await bench.ask('listener', 'hello', { userId: `u${user}` });
    const calls = bench.flaky.calls;
    expect(await bench.caches.instructions.refresh()).toMatchObject({ outcome: 'unchanged', unchanged: 50 });
    expect(bench.flaky.calls).toBe(calls + 1);
  });

  it('compiles an agent once per change of its rows, for all users and sessions', async () => {
    const { bench } = agents;
    await Promise.all(
      ['a', 'b', 'c'].map((userId) => bench.ask('shop_assistant', 'hello', { userId, sessionId: userId })),
    );
    await bench.caches.tools.refresh();
    await bench.caches.agents.refresh();
    await bench.ask('shop_assistant', 'hello');
    expect(bench.compiled).toBe(1);

    await test.database.query(`update tools set description = description || '!' where name = 'get_product'`);
    await bench.caches.tools.refresh();
    await bench.ask('shop_assistant', 'hello');
    await bench.ask('shop_assistant', 'hello');
    expect(bench.compiled).toBe(2);
    await bench.ask('listener', 'hello');
    expect(bench.compiled).toBe(3);
  });

  it('keeps users apart who talk at the same time', async () => {
    const { bench } = agents;
    await test.database.query(
      `insert into agent_access select id, 'robin' from agent_configurations where agent_name = 'task_coach' on conflict do nothing`,
    );
    await bench.caches.agents.refresh();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        bench.ask('task_coach', 'call list_tasks {}', {
          userId: index % 2 === 0 ? 'demo' : 'robin',
          sessionId: `s${index}`,
        }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      expect(answer).toContain(index % 2 === 0 ? 'passport' : 'surprise party');
      expect(answer).not.toContain(index % 2 === 0 ? 'surprise party' : 'passport');
    }
  });

  it('finds no agent that is unknown, inactive, nameless, or not for this user, and says the same of each', async () => {
    const { bench } = agents;
    await test.database.query(
      `insert into agent_configurations (agent_name, instructions, is_public, is_active) values ('retired', 'x', true, false)`,
    );
    const names = ['nobody', 'retired', '', 'a\0b', 'x'.repeat(10_000), '__proto__', "' or 1=1 --"];
    for (const useCache of [true, false]) {
      for (const agentName of names) {
        await expect(bench.loader.loadAgentExecutor({ agentName, ...demo, useCache })).rejects.toThrow(AgentNotFound);
      }
      const notMine = { agentName: 'task_coach', userId: 'stranger', sessionId: 's', useCache };
      await expect(bench.loader.loadAgentExecutor(notMine)).rejects.toThrow(new AgentNotFound());
    }
  });

  it('asks nobody about a name that no agent can have', async () => {
    const { bench } = agents;
    const { calls } = bench.flaky;
    for (const agentName of ['', ' ', 'a\0b', 'x'.repeat(65), 'a/b', '\ud800']) {
      await expect(bench.ask(agentName, 'hello')).rejects.toThrow(AgentNotFound);
    }
    expect(bench.flaky.calls).toBe(calls);
    expect(bench.caches.agents.stats().negatives).toBe(0);
  });

  it('finds an agent that was made a moment ago, however many names are made up beside it', async () => {
    const { bench } = agents;
    const [before, asked] = [bench.caches.agents.stats(), bench.flaky.calls];
    const found = await Promise.allSettled(
      Array.from({ length: 1_500 }, (_, index) => bench.loader.findAgent(`made_up_${index}`, 'demo')),
    );
    expect(found.filter((one) => one.status === 'rejected' && one.reason instanceof AgentNotFound)).toHaveLength(1_500);
    const { agentNames } = await generate(test.database, { agents: 1, tools: 1, linksPerAgent: 1, seed: 78 });
    expect(await bench.loader.findAgent(agentNames[0]!, 'demo')).toMatchObject({ agentName: agentNames[0] });
    expect(bench.caches.agents.stats().rateLimited).toBe(before.rateLimited);
    expect(bench.flaky.calls - asked).toBeLessThan(20);
  });

  it('lists the agents of a user, and does not call an outage an empty list', async () => {
    const { bench } = agents;
    const names = (userId: string) => bench.loader.listAgents(userId);
    expect(await names('demo')).toEqual(expect.arrayContaining(['email_digest_agent', 'listener', 'task_coach']));
    expect(await names('stranger')).not.toContain('task_coach');
    const cold = new (bench.constructor as new (database: typeof test.database) => typeof bench)(test.database);
    cold.flaky.down = true;
    await cold.caches.registry.startAll();
    await expect(cold.loader.listAgents('demo')).rejects.toThrow(DatabaseUnavailable);
    await cold.caches.registry.stopAll();
  });

  it('throws where instructions were never read and the database is away; those that were read are used', async () => {
    const { bench } = agents;
    await bench.ask('email_digest_agent', 'hello');
    bench.flaky.down = true;
    await bench.ask('email_digest_agent', 'hello');
    expect(bench.model.lastInstructions).toContain('landlord');
    await expect(bench.ask('email_digest_agent', 'hello', { useCache: false })).rejects.toThrow(DatabaseUnavailable);
    await expect(bench.ask('listener', 'hello', { userId: 'new' })).rejects.toSatisfy(CacheError.isInstance);
    bench.flaky.down = false;
  });

  it('reads the database while the caches do not run', async () => {
    const { bench } = agents;
    await bench.caches.registry.stopAll();
    expect(await bench.ask('task_coach', 'call count_open_tasks')).toContain('"open"');
  });

  it('refuses a row that breaks its schema, without the caches; with them its last good value serves on', async () => {
    const { bench } = agents;
    await bench.ask('listener', 'hello');
    await test.database.query(
      `update agent_configurations set llm_config = '{"provider": "claud"}' where agent_name = 'listener'`,
    );
    await bench.caches.agents.refresh();
    await bench.ask('listener', 'hello');
    expect(bench.caches.agents.status().quarantine).toMatchObject([{ key: 'listener' }]);
    await expect(bench.ask('listener', 'hello', { useCache: false })).rejects.toThrow(InvalidRow);
    const cold = new AgentBench(test.database);
    await cold.caches.registry.startAll();
    await expect(cold.ask('listener', 'hello')).rejects.toThrow(InvalidRow); // which never had a good value
    await cold.caches.registry.stopAll();
    await test.database.query(`update agent_configurations set llm_config = '{}' where agent_name = 'listener'`);
    await bench.caches.agents.refresh();
    expect(bench.caches.agents.status().quarantine).toEqual([]);
  });

  it('is an AI SDK agent: it streams, and stops when told to', async () => {
    const agent = await agents.bench.loader.loadAgentExecutor({ agentName: 'shop_assistant', ...demo });
    expect(agent).toMatchObject({ version: 'agent-v1', id: 'shop_assistant' });
    expect(Object.keys(agent.tools)).toContain('get_product');
    let text = '';
    const answer = await agent.stream({ prompt: 'call get_product {"sku": "NB-100"}' });
    for await (const part of answer.textStream) text += part;
    expect(text).toContain('"price_cents":890');
    await expect(
      agent.generate({ prompt: 'hello', abortSignal: AbortSignal.abort(new Error('left')) }),
    ).rejects.toThrow('left');
  });

  it('puts what the calling application says last, after the agent and the user', async () => {
    const { bench } = agents;
    const agent = await bench.loader.loadAgentExecutor({
      agentName: 'email_digest_agent',
      ...demo,
      systemText: 'Answer in verse.',
    });
    await agent.generate({ prompt: 'hello' });
    expect(bench.model.lastInstructions).toMatch(
      /^You write digests.*Instructions of this user:\n.*landlord.*\n\nAnswer in verse\.$/s,
    );
  });
});
