/** Puts the server together out of its parts, and takes it apart again in reverse. */
import { createAgentLoader } from './agents/load-agent-executor.ts';
import { createModelFactory } from './agents/model.ts';
import { makeApiKey } from './api-keys.ts';
import { buildApp } from './app.ts';
import { createCaches } from './caches.ts';
import type { Config } from './config.ts';
import { openDatabase } from './database.ts';
import { InFlight } from './in-flight.ts';
import { Lifespan } from './lifespan.ts';
import type { SeedReport } from './seed.ts';
import type { ServerLog } from './server-log.ts';
import { hasSnapshotsIn, keepIn, keepNothing } from './snapshots.ts';

export interface RunningServer {
  /** Where it listens, as in `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The administrator's key, if it was made here. */
  readonly madeAdminKey: string | undefined;
  /** Resolves once the database and the caches are there; `undefined` if the server was stopped before. */
  readonly prepared: Promise<SeedReport | undefined>;
  /** Finishes what is under way, then ends everything. Safe to call twice. */
  stop(): Promise<void>;
}

/** How long connections may stay open after the last answer; one that never asked anything would stay for a minute. */
const CLOSE_GRACE_MS = 1000;

/** Listens at once; the database may come later. */
export async function startServer(config: Config, log: ServerLog): Promise<RunningServer> {
  const { databaseUrl, toolDatabaseUrl, dataDir, snapshotDir, openaiBaseUrl, openaiApiKey, openaiModel, secrets } =
    config;
  const database = await openDatabase({ databaseUrl, toolDatabaseUrl, dataDir, log });
  const caches = createCaches(database, snapshotDir === undefined ? keepNothing : keepIn(snapshotDir, databaseUrl));
  const inFlight = new InFlight();
  const hasSnapshots = snapshotDir !== undefined && (await hasSnapshotsIn(snapshotDir));
  const lifespan = new Lifespan({ database, caches, inFlight, log, seedDemo: config.seedDemo, hasSnapshots });
  const createModel = createModelFactory({ baseUrl: openaiBaseUrl, apiKey: openaiApiKey, model: openaiModel, secrets });
  const adminKey = config.adminApiKey ?? makeApiKey();
  const app = buildApp({
    log,
    keyRing: { apiKeys: caches.apiKeys, adminKey },
    loader: createAgentLoader(caches, { database, log, createModel }),
    database,
    caches: caches.registry,
    inFlight,
    readiness: () => lifespan.readiness(),
    draining: () => lifespan.draining,
  });

  const stop = async (): Promise<void> => {
    await lifespan.drain(config.shutdownGraceSeconds * 1000);
    const force = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
    await app.close();
    clearTimeout(force);
    await lifespan.stop();
  };

  try {
    const address = await app.listen({ host: config.host, port: config.port });
    let stopping: Promise<void> | undefined;
    return {
      address,
      madeAdminKey: config.adminApiKey === undefined ? adminKey : undefined,
      prepared: lifespan.start(),
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await lifespan.stop();
    throw error;
  }
}
