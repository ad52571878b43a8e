/** The HTTP side as a whole: which routes there are, who may reach them, and what holds for all of them. */
import { randomUUID } from 'node:crypto';
import type { CacheRegistry } from 'evercache';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { AgentLoader } from './agents/load-agent-executor.ts';
import { type KeyRing, requireScope } from './auth.ts';
import { answerBrokenRequest } from './broken-request.ts';
import type { Database } from './database.ts';
import { answerError, installErrorHandler } from './error-handler.ts';
import { HttpError } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import { logRequests } from './request-log.ts';
import { adminCacheRoutes } from './routes/admin-caches.ts';
import { chatRoutes } from './routes/chat.ts';
import { chatCompletionRoutes } from './routes/chat-completions.ts';
import { healthRoutes, type Readiness } from './routes/health.ts';
import { modelRoutes } from './routes/models.ts';
import { describeSchemaError } from './schema-error.ts';

export interface AppDependencies {
  readonly log: FastifyBaseLogger;
  readonly keyRing: KeyRing;
  readonly loader: Pick<AgentLoader, 'loadAgentExecutor' | 'findAgent' | 'listAgents'>;
  readonly database: Database;
  readonly caches: CacheRegistry;
  readonly inFlight: InFlight;
  /** For `/readyz`. */
  readonly readiness: () => Readiness;
  /** From then on new work is refused; what is under way goes on. */
  readonly draining: () => boolean;
  /** Longest silence of a stream, in milliseconds. Default 15,000. */
  readonly heartbeatMs?: number | undefined;
}

/** Bytes of a body: room for a long conversation. Read only after the key has been checked. */
const BODY_LIMIT = 4 * 1024 * 1024;

/** A name that is too long is one that does not exist. How long a URL may be is for the HTTP parser to say. */
const LONGEST_PATH_PARAMETER = 16 * 1024;

/** The server, not listening yet. Routes need no network to be tried: `app.inject`. */
export function buildApp(dependencies: AppDependencies): FastifyInstance {
  const { log, keyRing, loader, database, caches, inFlight, readiness, draining, heartbeatMs = 15_000 } = dependencies;
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }), // see request-log.ts
    genReqId: () => `req_${randomUUID()}`,
    bodyLimit: BODY_LIMIT,
    return503OnClosing: false, // see refuseWhileDraining
    routerOptions: { maxParamLength: LONGEST_PATH_PARAMETER },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, verbose: true } },
    schemaErrorFormatter: describeSchemaError,
    frameworkErrors: answerError,
    clientErrorHandler: answerBrokenRequest,
  });
  app.decorateRequest('caller');
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  logRequests(app);
  installErrorHandler(app);

  healthRoutes(app, readiness);
  app.register(async (work) => {
    refuseWhileDraining(work, draining);
    work.register(async (chat) => {
      requireScope(chat, 'chat', keyRing);
      modelRoutes(chat, loader);
      chatCompletionRoutes(chat, { loader, inFlight, heartbeatMs });
      chatRoutes(chat, { loader, database, inFlight });
    });
    work.register(async (admin) => {
      requireScope(admin, 'admin', keyRing);
      adminCacheRoutes(admin, caches);
    });
  });
  return app;
}

/** `/livez` and `/readyz` go on answering, so that whoever sends requests here can see why they are refused. */
function refuseWhileDraining(app: FastifyInstance, draining: () => boolean): void {
  app.addHook('onRequest', async (_request, reply) => {
    if (!draining()) return;
    reply.header('connection', 'close');
    throw new HttpError('shutting_down', 'This server is shutting down. Try again.');
  });
}
