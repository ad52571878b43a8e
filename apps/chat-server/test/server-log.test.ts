import { APICallError, RetryError, TypeValidationError } from 'ai';
import { expect, test } from 'vitest';
import { createServerLog, describeError } from '../src/server-log.ts';

function apiCallError(): APICallError {
  return new APICallError({
    message: 'Incorrect API key provided: hunter2\n    at hunter2 (the second line of the answer)',
    url: 'https://hunter2.example',
    requestBodyValues: { hunter2: true },
    statusCode: 401,
    responseBody: 'hunter2',
    cause: Object.assign(new SyntaxError('Unexpected token in "hunter2"'), { code: 'EJSON' }),
  });
}

test.each<[string, Error, string]>([
  ['an endpoint that repeats the key', apiCallError(), 'AI_APICallError'],
  [
    'an answer of the wrong form',
    new TypeValidationError({ value: 'hunter2', cause: new Error('hunter2') }),
    'AI_Type',
  ],
  ['attempts used up', new RetryError({ message: 'hunter2', reason: 'maxRetriesExceeded', errors: [] }), 'AI_Retry'],
  ['one of them as a cause', new Error('the agent failed', { cause: apiCallError() }), 'the agent failed'],
])('nothing that the model was told or said is logged: %s', (_name, error, known) => {
  const lines: string[] = [];
  createServerLog('info', { write: (line) => void lines.push(line) }).error({ err: error }, 'request failed');
  expect(lines[0]).toContain(known);
  expect(lines[0]).toContain('server-log.test.ts'); // the frames stay
  expect(lines[0]).not.toContain('hunter2');
});

test('status and codes of a failing endpoint are logged', () => {
  expect(describeError(apiCallError())).toMatchObject({
    type: 'AI_APICallError',
    statusCode: 401,
    cause: { type: 'SyntaxError', code: 'EJSON' },
  });
});

test('errors of our own keep their message', () => {
  const error = new Error('one', { cause: new TypeError('two') });
  expect(describeError(error)).toMatchObject({ message: 'one', stack: error.stack, cause: { message: 'two' } });
});

test('of what PostgreSQL says of an error its hint is logged, and nothing that may hold rows', () => {
  const error = Object.assign(new Error('the role is missing'), {
    severity: 'ERROR',
    code: 'P0001',
    hint: 'create the role',
    detail: 'Failing row contains (hunter2).',
    where: 'unnamed portal parameter $1 = hunter2',
  });
  const lines: string[] = [];
  const log = createServerLog('info', { write: (line) => void lines.push(line) });
  log.error({ err: new Error('not now', { cause: error }) }, 'failed');
  expect(JSON.parse(lines[0]!).err.cause).toMatchObject({ code: 'P0001', hint: 'create the role' });
  expect(lines[0]).not.toContain('hunter2');
  expect(describeError(Object.assign(new Error('of somebody else'), { hint: 'hunter2' }))).not.toHaveProperty('hint');
});
