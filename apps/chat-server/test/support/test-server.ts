/** The whole HTTP side over an embedded database, with a model, a database and a log that the test has in hand. */
import type { LanguageModelV4 } from '@ai-sdk/provider';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll } from 'vitest';
import { embeddedDataDir } from '../../../../test/support/embedded-directory.ts';
import { createAgentLoader } from '../../src/agents/load-agent-executor.ts';
import { OfflineModel } from '../../src/agents/offline-model.ts';
import { createApiKey } from '../../src/api-keys.ts';
import { buildApp } from '../../src/app.ts';
import { type Caches, createCaches } from '../../src/caches.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { classifyDatabaseError } from '../../src/database-unavailable.ts';
import { InFlight } from '../../src/in-flight.ts';
import { Lifespan } from '../../src/lifespan.ts';
import { DEMO_USER, OTHER_USER } from '../../src/seed-data.ts';
import { createServerLog } from '../../src/server-log.ts';
import { FlakyDatabase } from './flaky-database.ts';

export interface TestServer {
  readonly app: FastifyInstance;
  readonly database: Database;
  /** Takes the database away from the server. */
  readonly flaky: FlakyDatabase;
  readonly caches: Caches;
  readonly lifespan: Lifespan;
  readonly inFlight: InFlight;
  /** Answers for every agent from now on. */
  model: LanguageModelV4;
  /** Every line that was logged. */
  readonly logLines: string[];
  readonly keys: { demo: string; other: string; readonly admin: string };
  /** The header with which a key is presented. */
  as(who: 'demo' | 'other' | 'admin'): { authorization: string };
  /** Where it listens. */
  readonly address: string;
}

export const ADMIN_KEY = 'ek_the-administrator-of-these-tests';

export interface TestServerOptions {
  readonly heartbeatMs?: number;
  /** Default: a new one, embedded and in memory, which takes some seconds. */
  readonly database?: Database;
}

/**
 * Started before the tests of the file, with the demo in its database, ready and listening. Read it inside tests. The
 * users `demo` and `other` may both use `task_coach`; `email_digest_agent` is for `demo` alone.
 */
export function useTestServer(options: TestServerOptions = {}): TestServer {
  let server: TestServer | undefined;
  beforeAll(async () => {
    server = await createTestServer(options);
    await prepare(server);
  });
  afterAll(async () => {
    if (server !== undefined) await stopTestServer(server);
  });
  return new Proxy({} as TestServer, {
    get: (_target, name) => Reflect.get(server as TestServer, name),
    set: (_target, name, value) => Reflect.set(server as TestServer, name, value),
  });
}

/** Starts the lifespan, and adds what tests need to the demo. */
export async function prepare(server: TestServer): Promise<void> {
  const { lifespan, database, caches, keys } = server;
  await lifespan.start();
  keys.demo = await createApiKey(database, { userId: DEMO_USER, scopes: ['chat'] });
  keys.other = await createApiKey(database, { userId: OTHER_USER, scopes: ['chat'] });
  await database.query(
    `insert into agent_access (agent_id, user_id) select id, $1 from agent_configurations where agent_name = 'task_coach'
     on conflict do nothing`,
    [OTHER_USER],
  );
  await caches.agents.refresh();
  await caches.apiKeys.refresh();
}

export async function stopTestServer({ app, lifespan }: TestServer): Promise<void> {
  const closed = app.close();
  app.server.closeAllConnections(); // clients of tests keep theirs open
  await closed;
  await lifespan.stop();
}

/** Listening, and nothing started. */
export async function createTestServer({ heartbeatMs, database: real }: TestServerOptions = {}): Promise<TestServer> {
  const logLines: string[] = [];
  const log = createServerLog('debug', { write: (line) => void logLines.push(line) });
  const flaky = new FlakyDatabase(real ?? (await openDatabase({ dataDir: embeddedDataDir() })));
  const database = classified(flaky);
  const caches = createCaches(database);
  const inFlight = new InFlight();
  const lifespan = new Lifespan({ database, caches, inFlight, log });
  const state: { model: LanguageModelV4 } = { model: new OfflineModel() };
  const loader = createAgentLoader(caches, { database, log, createModel: () => delegate(state) });
  const app = buildApp({
    log,
    keyRing: { apiKeys: caches.apiKeys, adminKey: ADMIN_KEY },
    loader,
    database,
    caches: caches.registry,
    inFlight,
    readiness: () => lifespan.readiness(),
    draining: () => lifespan.draining,
    heartbeatMs,
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const keys = { demo: '', other: '', admin: ADMIN_KEY };
  return Object.assign(state, {
    app,
    database,
    flaky,
    caches,
    lifespan,
    inFlight,
    logLines,
    keys,
    as: (who: keyof typeof keys) => ({ authorization: `Bearer ${keys[who]}` }),
    address,
  });
}

/** As the real databases do: an outage has a type of its own. */
function classified(flaky: FlakyDatabase): Database {
  const { database } = flaky;
  const asOutage = (error: unknown): never => {
    throw flaky.down ? classifyDatabaseError(error) : error;
  };
  return {
    ...database,
    query: (...parameters) => database.query<never>(...parameters).catch(asOutage),
    transaction: (work) => database.transaction(work).catch(asOutage),
    restricted: (options, work) => database.restricted(options, work).catch(asOutage),
  };
}

/** A compiled agent keeps its model; this one asks whichever is current. */
function delegate(state: { readonly model: LanguageModelV4 }): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'test',
    modelId: 'test',
    supportedUrls: {},
    doGenerate: (options) => state.model.doGenerate(options),
    doStream: (options) => state.model.doStream(options),
  };
}

export { DEMO_USER, OTHER_USER };
