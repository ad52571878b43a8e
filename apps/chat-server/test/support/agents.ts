/** Everything a test of agents needs: a seeded database that can fail, caches that run, a loader, a model that remembers. */
import { afterEach, beforeEach } from 'vitest';
import { type AgentLoader, createAgentLoader } from '../../src/agents/load-agent-executor.ts';
import { type Caches, createCaches } from '../../src/caches.ts';
import type { Database } from '../../src/database.ts';
import { silentLog } from '../../src/log.ts';
import type { TestDatabase } from './databases.ts';
import { FlakyDatabase } from './flaky-database.ts';
import { RecordingModel } from './recording-model.ts';

export class AgentBench {
  readonly database: Database;
  readonly flaky: FlakyDatabase;
  readonly caches: Caches;
  readonly loader: AgentLoader;
  readonly model: RecordingModel = new RecordingModel();
  /** How many models were made: one for each agent that was compiled. */
  compiled = 0;

  constructor(database: Database) {
    this.database = database;
    this.flaky = new FlakyDatabase(database);
    this.caches = createCaches(this.flaky.database);
    const createModel = (): RecordingModel => {
      this.compiled += 1;
      return this.model;
    };
    this.loader = createAgentLoader(this.caches, { database: this.flaky.database, log: silentLog, createModel });
  }

  /** What the agent says to a prompt. */
  async ask(
    agentName: string,
    prompt: string,
    { userId = 'demo', sessionId = 's', useCache = true } = {},
  ): Promise<string> {
    const agent = await this.loader.loadAgentExecutor({ agentName, userId, sessionId, useCache });
    return (await agent.generate({ prompt })).text;
  }

  async idOf(agentName: string): Promise<string> {
    const [row] = await this.database.query<{ id: string }>(
      'select id from agent_configurations where agent_name = $1',
      [agentName],
    );
    return row?.id ?? '';
  }
}

/** A bench for each test, its caches started. What a test changes in the database stays: use rows of its own. */
export function useAgents(test: TestDatabase): { readonly bench: AgentBench } {
  let bench: AgentBench | undefined;
  beforeEach(async () => {
    bench = new AgentBench(test.database);
    await bench.caches.registry.startAll();
  });
  afterEach(async () => {
    await bench?.caches.registry.stopAll();
  });
  return {
    get bench(): AgentBench {
      if (bench === undefined) throw new Error('expected to be read inside a test, got none');
      return bench;
    },
  };
}
