import { afterEach, describe, expect, test } from 'vitest';
import { useTestServer } from './support/test-server.ts';

const server = useTestServer();
const NAMES = ['tools', 'agents', 'api-keys', 'user-instructions'];

afterEach(() => {
  server.flaky.down = false;
});

async function get(url: string) {
  return server.app.inject({ url, headers: server.as('admin') });
}

async function post(url: string, payload?: object | string) {
  return server.app.inject({
    method: 'POST',
    url,
    headers: server.as('admin'),
    ...(payload === undefined ? {} : { payload }),
  });
}

/** Puts a value into a cache by way of its source, which is the only way. */
async function configure(agentName: string, llmConfig: object): Promise<void> {
  await server.database.query('update agent_configurations set llm_config = $2 where agent_name = $1', [
    agentName,
    JSON.stringify(llmConfig),
  ]);
}

describe('GET /admin/caches', () => {
  test('lists every cache with its state and its numbers', async () => {
    const { caches } = (await get('/admin/caches')).json();
    expect(caches.map(({ name }: { name: string }) => name)).toEqual(NAMES);
    for (const { status, stats } of caches) {
      expect(status).toMatchObject({ state: 'live', breaker: 'closed', quarantine: [] });
      expect(stats).toMatchObject({ hits: expect.any(Number), sourceFailures: 0 });
    }
    expect((await get('/admin/caches/agents')).json()).toMatchObject({
      name: 'agents',
      status: { lastRefresh: { outcome: 'published' } },
    });
  });

  test('knows no cache of another name, and says which there are', async () => {
    for (const answer of [await get('/admin/caches/toolz'), await post('/admin/caches/toolz/refresh', { all: true })]) {
      expect(answer.statusCode).toBe(404);
      expect(answer.json().error).toMatchObject({
        code: 'cache_not_found',
        message: expect.stringContaining(NAMES.join(', ')),
      });
    }
  });

  test('lists a row that is wrong instead of dropping it in silence, with what is wrong; its last good value stays', async () => {
    await configure('listener', { provider: 'nonsense' });
    const report = (await post('/admin/caches/agents/refresh', { all: true })).json();
    expect(report).toMatchObject({ quarantined: 1 });
    const { status, stats } = (await get('/admin/caches/agents')).json();
    expect(status.quarantine).toEqual([
      { key: 'listener', message: expect.stringContaining('provider'), ageMs: expect.any(Number) },
    ]);
    expect(stats.quarantined).toBe(1);
    expect((await get('/admin/caches/agents/entries/listener')).json()).toMatchObject({
      quarantined: expect.stringContaining('provider'),
    });
    const chat = await server.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      headers: server.as('demo'),
      payload: { model: 'listener', messages: [{ role: 'user', content: 'still there?' }] },
    });
    expect(chat.statusCode).toBe(200);
    await configure('listener', {});
    await post('/admin/caches/agents/refresh', { all: true });
    expect((await get('/admin/caches/agents')).json().status.quarantine).toEqual([]);
  });

  test('says of a refresh that failed why, and goes on serving', async () => {
    server.flaky.down = true;
    const report = await post('/admin/caches/tools/refresh', { all: true });
    expect(report.statusCode).toBe(200);
    expect(report.json()).toMatchObject({
      outcome: 'failed',
      error: { code: expect.any(String), message: expect.stringContaining('tools') },
    });
    const { status } = (await get('/admin/caches/tools')).json();
    expect(status).toMatchObject({ state: 'degraded', size: expect.any(Number), lastRefresh: { outcome: 'failed' } });
    expect(status.size).toBeGreaterThan(0);
    server.flaky.down = false;
    await expect
      .poll(async () => (await post('/admin/caches/tools/refresh', { all: true })).json().outcome)
      .toBe('unchanged');
    expect((await get('/admin/caches/tools')).json().status.state).toBe('live');
  });
});

describe('GET /admin/caches/:name/entries/:key', () => {
  test('tells state and age, and the value only when asked for it', async () => {
    expect((await get('/admin/caches/agents/entries/task_coach')).json()).toEqual({
      state: 'fresh',
      ageMs: expect.any(Number),
      generation: expect.any(Number),
    });
    const shown = (await get('/admin/caches/agents/entries/task_coach?value=1')).json();
    expect(shown.value).toMatchObject({ agentName: 'task_coach' });
    expect((await get('/admin/caches/agents/entries/task_coach?value=0')).json().value).toBeUndefined();
  });

  test('shows no secret', async () => {
    await configure('shop_assistant', {
      provider: 'openai-compatible',
      base_url: 'https://me:hunter2@llm.example/v1',
      api_key: { $secret: 'HUNTER2' },
      max_tokens: 7,
    });
    await post('/admin/caches/agents/refresh', { all: true });
    const answer = await get('/admin/caches/agents/entries/shop_assistant?value=1');
    expect(answer.body.toLowerCase()).not.toContain('hunter2');
    expect(answer.json().value.llmConfig).toMatchObject({ api_key: '[redacted]', max_tokens: 7 });
    await configure('shop_assistant', {});
    await post('/admin/caches/agents/refresh', { all: true });
  });

  test.each([
    ['the empty string', ''],
    ['slashes', 'a/b//c'],
    ['a name of JavaScript', '__proto__'],
    ['what URLs use for themselves', 'a?b#c&d=e%20;f g'],
    ['dots', '../../admin'],
    ['another script', 'ключ 🔑'],
  ])('takes any string for a key: %s', async (_name, key) => {
    const selection = { keys: [key] };
    const url = `/admin/caches/user-instructions/entries/${encodeURIComponent(key)}`;
    // This cache learns that there is nothing under a key when it is asked for it: so the path names the key that the
    // body named.
    expect((await post('/admin/caches/user-instructions/warm', selection)).json()).toMatchObject({
      requested: 1,
      failed: 0,
    });
    expect((await get(url)).json().state).toBe('absent');
    expect((await post('/admin/caches/user-instructions/invalidate', selection)).json()).toEqual({ invalidated: 1 });
    expect((await get(url)).json().state).toBe('unknown');
  });

  test('takes a megabyte for a key', async () => {
    const key = 'k'.repeat(1024 * 1024);
    expect((await get(`/admin/caches/user-instructions/entries/${key}`)).statusCode).toBe(200);
    expect((await post('/admin/caches/user-instructions/invalidate', { keys: [key] })).json()).toEqual({
      invalidated: 1,
    });
  });

  test('refuses a path that is not percent-encoded', async () => {
    expect((await get('/admin/caches/agents/entries/%zz')).json().error).toMatchObject({ code: 'invalid_request' });
  });

  test('reading an entry does not count as a hit', async () => {
    const before = server.caches.agents.stats().hits;
    await get('/admin/caches/agents/entries/task_coach?value=1');
    expect(server.caches.agents.stats().hits).toBe(before);
  });
});

describe('POST /admin/caches/:name/...', () => {
  test('a row changed by plain SQL is in the next answer after one refresh', async () => {
    const ask = async () => {
      const payload = { model: 'shop_assistant', messages: [{ role: 'user', content: 'call get_working_hours' }] };
      const answer = await server.app.inject({
        method: 'POST',
        url: '/v1/chat/completions',
        headers: server.as('demo'),
        payload,
      });
      return answer.json().choices[0].message.content as string;
    };
    expect(await ask()).not.toContain('midnight');
    await server.database.query(
      `update tools set config = '{"value": "open until midnight"}' where name = 'get_working_hours'`,
    );
    expect(await ask()).not.toContain('midnight');
    expect((await post('/admin/caches/tools/refresh', { all: true })).json()).toMatchObject({ outcome: 'published' });
    expect(await ask()).toContain('midnight');
  });

  test('refreshes some keys only', async () => {
    expect((await post('/admin/caches/agents/refresh', { keys: ['task_coach'] })).json()).toMatchObject({
      kind: 'delta',
      reason: 'manual',
    });
  });

  test('invalidates everything only where that is said', async () => {
    expect((await post('/admin/caches/agents/invalidate', { all: true })).json()).toEqual({ invalidated: 'all' });
    await expect.poll(() => server.caches.agents.size).toBeGreaterThan(0);
  });

  test('warms everything that can be listed', async () => {
    expect((await post('/admin/caches/tools/warm', { all: true })).json()).toMatchObject({ kind: 'snapshot' });
  });

  const EXPECTED = 'body: expected either { "keys": ["..."] } or { "all": true }';
  test.each([
    ['no body', undefined, `${EXPECTED}, got null`],
    ['an empty object', {}, `${EXPECTED}, got an object with 0 fields`],
    ['both', { all: true, keys: ['a'] }, `${EXPECTED}, got an object with 2 fields`],
    ['an array', ['a'], `${EXPECTED}, got an array of 1`],
    ['all: false', { all: false }, 'all: expected true, got a boolean'],
    ['all as text', { all: 'true' }, 'all: expected true, got a string of 4 characters'],
    ['no keys', { keys: [] }, 'keys: expected an array of 1 to 10000 strings, got an array of 0'],
    [
      'a key instead of keys',
      { keys: 'a' },
      'keys: expected an array of 1 to 10000 strings, got a string of 1 characters',
    ],
    ['keys that are null', { keys: [null] }, 'keys[0]: expected string, got null'],
    ['a misspelt field', { kyes: ['a'] }, 'body: expected no fields but keys, all, got "kyes"'],
  ])('never takes %s for "all"', async (_name, body, message) => {
    for (const action of ['invalidate', 'refresh', 'warm']) {
      const { invalidations, refreshes } = server.caches.agents.stats();
      const answer = await post(`/admin/caches/agents/${action}`, body);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.message).toBe(message);
      expect(server.caches.agents.stats()).toMatchObject({ invalidations, refreshes });
    }
  });

  test('refuses a body that is no JSON', async () => {
    const headers = { ...server.as('admin'), 'content-type': 'application/json' };
    const send = (payload: string, type = headers['content-type']) =>
      server.app.inject({
        method: 'POST',
        url: '/admin/caches/tools/refresh',
        headers: { ...headers, 'content-type': type },
        payload,
      });
    expect((await send('{"all":')).json().error.code).toBe('invalid_json');
    expect((await send('')).json().error.code).toBe('invalid_json');
    expect((await send('{"__proto__":{"all":true}}')).statusCode).toBe(400);
    expect((await send('all=true', 'application/x-www-form-urlencoded')).json().error.code).toBe(
      'unsupported_media_type',
    );
    expect((await send(JSON.stringify({ keys: ['x'.repeat(5_000_000)] }))).json().error.code).toBe('body_too_large');
  });
});
