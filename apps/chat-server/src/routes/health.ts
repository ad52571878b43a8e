/** For the machinery around the server: is the process alive, and should it get requests? Open to everybody. */
import type { FastifyInstance } from 'fastify';

export interface ReadinessCheck {
  readonly ok: boolean;
  /** Names, states and ages; open to everybody, so no more than that. */
  readonly [detail: string]: string | number | boolean | null;
}

/** Why the server is ready, or not. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
}

export function healthRoutes(app: FastifyInstance, readiness: () => Readiness): void {
  // Speaks of the process only: a restart would not bring a database back.
  app.get('/livez', async () => ({ status: 'alive' }));

  app.get('/readyz', async (_request, reply) => {
    const { ready, checks } = readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
  });
}
