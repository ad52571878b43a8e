import { APICallError } from 'ai';
import { afterEach, describe, expect, test } from 'vitest';
import { OfflineModel } from '../src/agents/offline-model.ts';
import { forever, ScriptedModel } from './support/scripted-model.ts';
import { DEMO_USER, OTHER_USER, useTestServer } from './support/test-server.ts';

const server = useTestServer();
const AGENT = 'task_coach';

afterEach(() => {
  server.model = new OfflineModel();
  server.flaky.down = false;
});

async function chat(payload: object, who: 'demo' | 'other' = 'demo') {
  return server.app.inject({ method: 'POST', url: '/api/chat', headers: server.as(who), payload });
}

async function storedMessages(sessionId: string, who: 'demo' | 'other' = 'demo') {
  return server.database.query<{ role: string; content: string }>(
    'select role, content from chat_messages where user_id = $1 and session_id = $2 order by id',
    [who === 'demo' ? DEMO_USER : OTHER_USER, sessionId],
  );
}

async function countSessions(): Promise<number> {
  const [row] = await server.database.query<{ count: number }>('select count(*)::int as count from chat_sessions');
  return row?.count ?? Number.NaN;
}

describe('POST /api/chat', () => {
  test('answers with the session, the response and the last call of a tool', async () => {
    const answer = await chat({ agent_name: AGENT, message: 'call list_tasks {"status":"open"}' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      response: expect.stringMatching(/^list_tasks -> /),
      tool_name: 'list_tasks',
      tool_input: { status: 'open' },
      error: null,
    });
  });

  test('says that no tool was called with null', async () => {
    const answer = await chat({ agent_name: AGENT, message: 'hello', session_id: null });
    expect(answer.json()).toMatchObject({ tool_name: null, tool_input: null, error: null });
  });

  test('remembers what was said in a session, and shows it to the model the next time', async () => {
    const model = new ScriptedModel((call) => [`answer ${call}`]);
    server.model = model;
    const { session_id } = (await chat({ agent_name: AGENT, message: 'first' })).json();
    await chat({ agent_name: AGENT, message: 'second', session_id });
    const said = model.calls[1]?.prompt.filter(({ role }) => role !== 'system');
    expect(said?.map(({ role, content }) => [role, (content as { text: string }[])[0]?.text])).toEqual([
      ['user', 'first'],
      ['assistant', 'answer 1'],
      ['user', 'second'],
    ]);
    expect(await storedMessages(session_id)).toHaveLength(4);
  });

  test('makes a session of the id that the client chose', async () => {
    const answer = await chat({ agent_name: AGENT, message: 'x', session_id: 'my session/1' });
    expect(answer.json().session_id).toBe('my session/1');
    expect(await storedMessages('my session/1')).toHaveLength(2);
  });

  test('keeps two sessions of one user apart, asked at the same time', async () => {
    const answers = await Promise.all(
      ['one', 'two'].map((name) => chat({ agent_name: AGENT, message: `I am ${name}`, session_id: `apart-${name}` })),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect((await storedMessages('apart-one'))[0]?.content).toBe('I am one');
    expect((await storedMessages('apart-two'))[0]?.content).toBe('I am two');
  });

  test("checks a session's owner: another user with the same id has a session of their own", async () => {
    const { session_id } = (await chat({ agent_name: AGENT, message: 'my secret' })).json();
    const model = new ScriptedModel(() => ['nothing']);
    server.model = model;
    const answers = [
      await chat({ agent_name: AGENT, message: 'what did I say?', session_id }, 'other'),
      await chat({ agent_name: 'listener', message: 'x', session_id: 'of-nobody-yet' }, 'other'),
    ];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200]); // nothing tells the two ids apart
    expect(JSON.stringify(model.calls)).not.toContain('my secret');
    expect(await storedMessages(session_id)).toMatchObject([{ content: 'my secret' }, {}]);
    expect(await storedMessages(session_id, 'other')).toEqual([
      { role: 'user', content: 'what did I say?' },
      { role: 'assistant', content: 'nothing' },
    ]);
  });

  test('does not find a session of another agent', async () => {
    const { session_id } = (await chat({ agent_name: AGENT, message: 'x' })).json();
    expect((await chat({ agent_name: 'listener', message: 'x', session_id })).json().error.code).toBe(
      'session_not_found',
    );
  });

  test('does not find an agent that this user may not use, nor one that does not exist: the two look the same', async () => {
    const forbidden = await chat({ agent_name: 'email_digest_agent', message: 'x' }, 'other');
    const missing = await chat({ agent_name: 'nobody', message: 'x' }, 'other');
    expect(forbidden.statusCode).toBe(404);
    expect(forbidden.json()).toEqual(missing.json());
  });

  test('answers a failure with an error status, not with 200 and an error inside; nothing is stored', async () => {
    const before = await countSessions();
    server.model = new ScriptedModel(() => [new Error('hunter2')]);
    const answer = await chat({ agent_name: AGENT, message: 'x', session_id: 'failed' });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('hunter2');
    expect(await countSessions()).toBe(before);
  });

  test('writes nothing to the log of what the endpoint of the model repeated: not in one piece, not streamed', async () => {
    const endpoint = new APICallError({ message: 'wrong key: hunter2', url: 'https://x', requestBodyValues: {} });
    server.model = new ScriptedModel(() => [endpoint]);
    server.logLines.length = 0;
    await chat({ agent_name: AGENT, message: 'x' });
    const payload = { model: AGENT, stream: true, messages: [{ role: 'user', content: 'x' }] };
    await server.app.inject({ method: 'POST', url: '/v1/chat/completions', headers: server.as('demo'), payload });
    const failures = server.logLines.filter((line) => JSON.parse(line).level >= 50);
    expect(failures).toHaveLength(2);
    for (const line of failures) expect(line).toContain('AI_APICallError');
    expect(server.logLines.join('')).not.toContain('hunter2');
  });

  test('stops the model and stores nothing when the client leaves', async () => {
    const before = await countSessions();
    const model = new ScriptedModel(() => [forever]);
    server.model = model;
    const leave = new AbortController();
    const answer = fetch(`${server.address}/api/chat`, {
      method: 'POST',
      signal: leave.signal,
      headers: { ...server.as('demo'), 'content-type': 'application/json' },
      body: JSON.stringify({ agent_name: AGENT, message: 'x', session_id: 'left' }),
    });
    answer.catch(() => {});
    await model.asked;
    leave.abort();
    await model.aborted;
    await server.inFlight.idle();
    expect(await storedMessages('left')).toEqual([]);
    expect(await countSessions()).toBe(before);
  });

  test('asks the database nothing while the model thinks', async () => {
    let calls = { begin: 0, end: 0 };
    server.model = new ScriptedModel(() => {
      calls = { begin: server.flaky.calls, end: 0 };
      return [Promise.resolve().then(() => (calls.end = server.flaky.calls)), 'ok'];
    });
    expect((await chat({ agent_name: AGENT, message: 'x' })).statusCode).toBe(200);
    expect(calls.end).toBe(calls.begin);
  });

  test('answers 503 and "try again" while the database is away, never without what was said before', async () => {
    await chat({ agent_name: AGENT, message: 'x', session_id: 'away' });
    const model = new ScriptedModel(() => ['forgetful']);
    server.model = model;
    server.flaky.down = true;
    for (const session_id of ['away', undefined]) {
      const answer = await chat({ agent_name: AGENT, message: 'x', session_id });
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
      expect(answer.json().error.code).toBe('database_unavailable');
    }
    expect(model.calls).toHaveLength(0);
  });

  test.each([
    ['no agent', { message: 'x' }, 'agent_name: expected the name of an agent, got nothing'],
    ['no message', { agent_name: AGENT }, 'message: expected text of 1 to 32768 characters without NUL, got nothing'],
    [
      'an empty message',
      { agent_name: AGENT, message: '' },
      'message: expected text of 1 to 32768 characters without NUL, got a string of 0 characters',
    ],
    [
      'a message without end',
      { agent_name: AGENT, message: 'x'.repeat(32_769) },
      'message: expected text of 1 to 32768 characters without NUL, got a string of 32769 characters',
    ],
    [
      'text that PostgreSQL cannot keep',
      { agent_name: AGENT, message: 'a\0b' },
      'message: expected text of 1 to 32768 characters without NUL, got a string of 3 characters',
    ],
    [
      'an id without end',
      { agent_name: AGENT, message: 'x', session_id: 'x'.repeat(129) },
      'session_id: expected text of 1 to 128 characters, or null for a new session, got a string of 129 characters',
    ],
    [
      'a misspelt field',
      { agent_name: AGENT, message: 'x', sesion_id: 'x' },
      'body: expected no fields but agent_name, message, session_id, got "sesion_id"',
    ],
  ])('refuses %s with one clear sentence', async (_name, body, message) => {
    const answer = await chat(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatchObject({ code: 'invalid_request', message });
  });
});
