/** The ways to load an agent that are compared. Each has connections of its own. */
import pg from 'pg';
import type { AgentServices } from '../../apps/chat-server/src/agents/compile-agent.ts';
import { createAgentLoader } from '../../apps/chat-server/src/agents/load-agent-executor.ts';
import { OfflineModel } from '../../apps/chat-server/src/agents/offline-model.ts';
import { createCaches } from '../../apps/chat-server/src/caches.ts';
import { type Database, openDatabase } from '../../apps/chat-server/src/database.ts';
import { silentLog } from '../../apps/chat-server/src/log.ts';
import type { Conversation } from './data.ts';
import { createUncachedLoader, type LoadedAgent } from './uncached-loader.ts';

/** What a model is asked: prompt, tools, settings. */
type Question = Parameters<OfflineModel['doGenerate']>[0];

export interface Contender {
  load(conversation: Conversation): Promise<LoadedAgent>;
  /** What the last model that was asked has been asked. */
  lastAsked(): Question | undefined;
  close(): Promise<void>;
}

export type ContenderName = 'cached' | 'uncached' | 'uncached, chat server';

export const contenderNames: readonly ContenderName[] = ['cached', 'uncached', 'uncached, chat server'];

const open: Record<ContenderName, (database: Database, databaseUrl: string) => Promise<Contender>> = {
  cached: async (database) => {
    const caches = createCaches(database);
    await caches.registry.startAll();
    const { services, lastAsked } = createServices(database);
    const { loadAgentExecutor } = createAgentLoader(caches, services);
    const close = async (): Promise<void> => {
      await caches.registry.stopAll();
      await database.close();
    };
    return { load: loadAgentExecutor, lastAsked, close };
  },
  uncached: async (database, databaseUrl) => {
    // Room for ten loads at a time; a connection that was opened stays.
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 30, idleTimeoutMillis: 0 });
    const { services, lastAsked } = createServices(database);
    const close = async (): Promise<void> => {
      await pool.end();
      await database.close();
    };
    return { load: createUncachedLoader(pool, services), lastAsked, close };
  },
  // The server's own path without caches: two round trips, for it needs the agent's id, and statements without a name.
  'uncached, chat server': async (database) => {
    const { services, lastAsked } = createServices(database);
    const { loadAgentExecutor } = createAgentLoader(createCaches(database), services);
    const load: Contender['load'] = (conversation) => loadAgentExecutor({ ...conversation, useCache: false });
    return { load, lastAsked, close: () => database.close() };
  },
};

/** Opens a contender on that database; for the cached one, its caches have started. */
export async function openContender(name: ContenderName, databaseUrl: string): Promise<Contender> {
  return open[name](await openDatabase({ databaseUrl, dataDir: '', deadlineMs: 10_000 }), databaseUrl);
}

function createServices(database: Database): { services: AgentServices; lastAsked: Contender['lastAsked'] } {
  let asked: Question | undefined;
  class RecordingModel extends OfflineModel {
    override doGenerate(options: Question): ReturnType<OfflineModel['doGenerate']> {
      asked = options;
      return super.doGenerate(options);
    }
  }
  const createModel: AgentServices['createModel'] = (config) => new RecordingModel(config.model);
  return { services: { database, log: silentLog, createModel }, lastAsked: () => asked };
}
