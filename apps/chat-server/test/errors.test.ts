import { readFileSync } from 'node:fs';
import { APICallError } from 'ai';
import { CACHE_ERROR_CODES, CacheError } from 'evercache';
import { describe, expect, test } from 'vitest';
import { InvalidRow } from '../src/agents/agent-rows.ts';
import { ModelNotConfigured } from '../src/agents/model.ts';
import { DatabaseUnavailable } from '../src/database-unavailable.ts';
import { toHttpError } from '../src/error-handler.ts';
import { HTTP_ERRORS, HttpError, type HttpErrorCode } from '../src/errors.ts';
import { AgentNotFound, SessionNotFound } from '../src/not-found.ts';

test('the table in the documentation and the table in the code are the same', () => {
  const page = readFileSync(new URL('../../../docs/http-errors.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| `(\w+)` \| \S.* \|$/gm)];
  const documented = Object.fromEntries(rows.map(([, code, status, type]) => [code, { status: Number(status), type }]));
  expect(documented).toEqual(HTTP_ERRORS);
});

describe('toHttpError', () => {
  const cases: [string, unknown, HttpErrorCode][] = [
    ['an agent that does not exist, or not for this user', new AgentNotFound(), 'model_not_found'],
    ["another agent's session", new SessionNotFound(), 'session_not_found'],
    ['a database that does not answer', new DatabaseUnavailable('refused'), 'database_unavailable'],
    ['a model that is not set up', new ModelNotConfigured('no endpoint'), 'model_failed'],
    ["an agent's deadline", new DOMException('too late', 'TimeoutError'), 'model_timeout'],
    ['a model endpoint that fails', apiCallError(), 'model_failed'],
    ['a row that is wrong', new InvalidRow('hunter2'), 'agent_misconfigured'],
    ['a bug', new TypeError('x is not a function'), 'internal_error'],
    ['a thrown string', 'secret', 'internal_error'],
  ];
  test.each(cases)('knows %s', (_name, error, code) => {
    expect(toHttpError(error, 'req_1').code).toBe(code);
  });

  test.each(CACHE_ERROR_CODES)('answers the cache error "%s" with "try again", never with an empty success', (code) => {
    const { status, headers } = toHttpError(new CacheError({ code, cache: 'tools', message: 'no' }), 'req_1');
    expect(status).toBe(code === 'rate-limited' ? 429 : 503);
    expect(headers['retry-after']).toMatch(/^\d+$/);
  });

  test('does not say "try again" of a row that stays wrong until somebody corrects it', () => {
    const { status, headers } = toHttpError(new InvalidRow('no'), 'req_1');
    expect({ status, headers }).toEqual({ status: 500, headers: {} });
  });

  test('tells a stranger nothing of what went wrong inside, only the request to ask about', () => {
    for (const error of [
      new Error('password=hunter2'),
      apiCallError(),
      new InvalidRow('hunter2'),
      new ModelNotConfigured('hunter2'),
      'hunter2',
    ]) {
      const envelope = toHttpError(error, 'req_42').toEnvelope();
      expect(JSON.stringify(envelope)).not.toContain('hunter2');
      expect(envelope.error.message).toContain('req_42');
    }
  });

  test('leaves an HttpError as it is', () => {
    const error = new HttpError('invalid_request', 'no', { param: 'model' });
    expect(toHttpError(error, 'req_1')).toBe(error);
    expect(error.toEnvelope()).toEqual({
      error: { message: 'no', type: 'invalid_request_error', param: 'model', code: 'invalid_request' },
    });
  });
});

function apiCallError(): APICallError {
  return new APICallError({
    message: 'upstream said hunter2',
    url: 'https://hunter2.example',
    requestBodyValues: { hunter2: true },
    responseBody: 'hunter2',
  });
}
