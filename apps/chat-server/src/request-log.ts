/**
 * One line for each request: what was asked, by whom, how it ended and how long it took. The route instead of the
 * URL, because URLs hold keys; a hash instead of the user.
 */
import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** The status of an answer that nobody waited for, as nginx writes it. */
const CLIENT_LEFT = 499;

export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    // Not onResponse: that is not called for an answer whose client left.
    reply.raw.once('close', () => write(request, reply));
  });
}

function write({ method, routeOptions, log, caller }: FastifyRequest, reply: FastifyReply): void {
  const details = {
    method,
    route: routeOptions.url ?? null,
    status: reply.raw.writableFinished ? reply.statusCode : CLIENT_LEFT,
    tookMs: Math.round(reply.elapsedTime),
    ...(caller === undefined ? {} : { user: hashUser(caller.userId) }),
  };
  const isProbe = routeOptions.url === '/livez' || routeOptions.url === '/readyz';
  if (isProbe) log.debug(details, 'request');
  else log.info(details, 'request');
}

function hashUser(userId: string): string {
  return hash('sha256', userId, 'hex').slice(0, 12);
}
