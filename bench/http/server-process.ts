/**
 * The chat server in a process of its own, with its caches or without them. Says its address when it is ready, and then,
 * whenever it is asked, how much processor time it has used so far, in microseconds.
 */
import pg from 'pg';
import { createAgentLoader } from '../../apps/chat-server/src/agents/load-agent-executor.ts';
import { createModelFactory } from '../../apps/chat-server/src/agents/model.ts';
import { type AppDependencies, buildApp } from '../../apps/chat-server/src/app.ts';
import { createCaches } from '../../apps/chat-server/src/caches.ts';
import { type Database, openDatabase } from '../../apps/chat-server/src/database.ts';
import { InFlight } from '../../apps/chat-server/src/in-flight.ts';
import { createServerLog } from '../../apps/chat-server/src/server-log.ts';
import { createUncachedLoader } from '../agent-load/uncached-loader.ts';
import { readAgentNames, readApiKey } from './uncached-reads.ts';

export type ServerKind = 'caches on' | 'caches off';

export interface ServerSetup {
  readonly kind: ServerKind;
  readonly databaseUrl: string;
}

type Parts = Pick<AppDependencies, 'keyRing' | 'loader' | 'caches'>;

// As a server runs that nobody watches: one line for each request, which goes nowhere here.
const log = createServerLog('info');
const adminKey = 'the-key-of-the-administrator';
const services = (database: Database) => ({ database, log, createModel: createModelFactory() });

async function cached(database: Database): Promise<Parts> {
  const caches = createCaches(database);
  await caches.registry.startAll();
  return {
    keyRing: { apiKeys: caches.apiKeys, adminKey },
    loader: createAgentLoader(caches, services(database)),
    caches: caches.registry,
  };
}

/** What a server without caches has to ask for, as well as that can be done: named statements, open connections. */
async function uncached(database: Database, databaseUrl: string): Promise<Parts> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 30, idleTimeoutMillis: 0 });
  const caches = createCaches(database);
  const { findAgent } = createAgentLoader(caches, services(database));
  return {
    keyRing: { apiKeys: { fetch: (hash) => readApiKey(pool, hash) }, adminKey },
    loader: {
      loadAgentExecutor: createUncachedLoader(pool, services(database)),
      findAgent,
      listAgents: (userId) => readAgentNames(pool, userId),
    },
    caches: caches.registry,
  };
}

process.once('disconnect', () => process.exit());
process.once('message', async ({ kind, databaseUrl }: ServerSetup) => {
  const database = await openDatabase({ databaseUrl, dataDir: '' });
  const parts = kind === 'caches on' ? await cached(database) : await uncached(database, databaseUrl);
  const app = buildApp({
    ...parts,
    log,
    database,
    inFlight: new InFlight(),
    readiness: () => ({ ready: true, checks: {} }),
    draining: () => false,
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.send?.(address);
});
