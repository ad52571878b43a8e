/**
 * Every failure, whoever threw it, becomes one `HttpError` here. What strangers may know goes into the answer; what
 * happened goes to the log, without keys, values or bodies.
 */
import { AISDKError } from 'ai';
import { CacheError } from 'evercache';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { InvalidRow } from './agents/agent-rows.ts';
import { ModelNotConfigured } from './agents/model.ts';
import { DatabaseUnavailable } from './database-unavailable.ts';
import { HttpError, type HttpErrorCode } from './errors.ts';
import { ClientLeft } from './in-flight.ts';
import { AgentNotFound, SessionNotFound } from './not-found.ts';

/** Fastify's own refusals, with our code and words. */
const FRAMEWORK_ERRORS: Record<string, readonly [HttpErrorCode, string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty; expected JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Expected Content-Type: application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The body is too large.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL is not valid; expected each part to be percent-encoded.'],
};

/** What the caller is told about `error`. */
export function toHttpError(error: unknown, requestId: string): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof AgentNotFound) return new HttpError('model_not_found', error.message);
  if (error instanceof SessionNotFound) return new HttpError('session_not_found', error.message);
  if (error instanceof DatabaseUnavailable) return unavailable(error);
  if (error instanceof InvalidRow) {
    const message = `The configuration of this agent is wrong. Request ${requestId}.`;
    return new HttpError('agent_misconfigured', message, { cause: error });
  }
  if (CacheError.isInstance(error)) {
    if (error.code !== 'rate-limited') return unavailable(error);
    return new HttpError('rate_limited', 'Too many requests for what does not exist. Try again later.', {
      cause: error,
    });
  }
  const known = FRAMEWORK_ERRORS[codeOf(error)];
  if (known !== undefined) return new HttpError(known[0], known[1], { cause: error });
  if (isTimeout(error)) {
    return new HttpError('model_timeout', `The model took too long. Request ${requestId}.`, { cause: error });
  }
  if (AISDKError.isInstance(error) || error instanceof ModelNotConfigured) {
    return new HttpError('model_failed', `The model did not answer. Request ${requestId}.`, { cause: error });
  }
  return new HttpError('internal_error', `Something went wrong here. Request ${requestId}.`, { cause: error });
}

function unavailable(cause: Error): HttpError {
  const message = 'What this needs cannot be read from the database right now. Try again later.';
  return new HttpError('database_unavailable', message, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** What an agent's own deadlines leave behind. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** Installs the answers to failures and to unknown routes. */
export function installErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    answerError(new HttpError('route_not_found', `There is no ${request.method} at this URL.`), request, reply),
  );
}

/** Sends what `toHttpError` says, and writes to the log what went wrong on our side. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  // Nobody is there to read the answer; the status is for the log, as nginx writes it.
  if (error instanceof ClientLeft || leftWhileSending(request)) return void reply.code(499).send();
  const answer = toHttpError(error, request.id);
  reply.header('x-request-id', request.id);
  // An outage refuses many, and the caches and the lifespan say why: here a line without stack is enough.
  if (answer.status === 503) request.log.warn({ code: answer.code, reason: reasonOf(answer) }, 'request refused');
  else if (answer.status >= 500)
    request.log.error({ code: answer.code, err: answer.cause ?? answer }, 'request failed');
  void reply.code(answer.status).headers(answer.headers).send(answer.toEnvelope());
}

function leftWhileSending({ raw }: FastifyRequest): boolean {
  return raw.destroyed && raw.complete === false;
}

/** What a cache repeats of its source's words may hold a value: here its name and code will do. */
function reasonOf({ cause }: HttpError): string | undefined {
  if (CacheError.isInstance(cause)) return `cache ${cause.cache}: ${cause.code}`;
  return cause instanceof Error ? cause.message : undefined;
}
