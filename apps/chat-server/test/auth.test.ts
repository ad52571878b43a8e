import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey, hashApiKey, makeApiKey, revokeApiKey } from '../src/api-keys.ts';
import { ADMIN_KEY, useTestServer } from './support/test-server.ts';

const server = useTestServer();

afterEach(() => {
  server.flaky.down = false;
});

async function get(url: string, authorization?: string) {
  return server.app.inject({ url, headers: authorization === undefined ? {} : { authorization } });
}

describe('a route that needs a key', () => {
  test.each([
    ['no header', undefined, 'missing_api_key'],
    ['an unknown key', `Bearer ${makeApiKey()}`, 'invalid_api_key'],
    ['an empty key', 'Bearer ', 'invalid_api_key'],
    ['two keys', 'Bearer a b', 'invalid_api_key'],
    ['another scheme', 'Basic ZGVtbzpkZW1v', 'invalid_api_key'],
    ['a key without end', `Bearer ${'x'.repeat(10_000)}`, 'invalid_api_key'],
  ])('refuses %s with 401', async (_name, authorization, code) => {
    const answer = await get('/v1/models', authorization);
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.json().error).toMatchObject({ code, type: 'invalid_request_error', param: null });
  });

  test('takes the scheme in any case', async () => {
    expect((await get('/v1/models', `bearer ${server.keys.demo}`)).statusCode).toBe(200);
  });

  test('asks for the key before it reads or checks the body', async () => {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      headers: { 'content-type': 'application/json' },
      payload: '{'.repeat(1000),
    });
    expect(answer.statusCode).toBe(401);
  });
});

describe('scopes', () => {
  test('a key for chats does not open the caches', async () => {
    for (const url of ['/admin/caches', '/admin/caches/tools', '/admin/caches/tools/entries/x']) {
      expect((await get(url, `Bearer ${server.keys.demo}`)).json().error.code).toBe('insufficient_scope');
    }
    for (const action of ['invalidate', 'refresh', 'warm']) {
      const answer = await server.app.inject({
        method: 'POST',
        url: `/admin/caches/tools/${action}`,
        headers: server.as('demo'),
        payload: { all: true },
      });
      expect(answer.statusCode).toBe(403);
    }
  });

  test("the administrator's key opens the caches and nothing else", async () => {
    expect((await get('/admin/caches', `Bearer ${ADMIN_KEY}`)).statusCode).toBe(200);
    expect((await get('/v1/models', `Bearer ${ADMIN_KEY}`)).statusCode).toBe(403);
  });

  test('a key of the table may have both', async () => {
    const key = await createApiKey(server.database, { userId: 'root', scopes: ['chat', 'admin'] });
    await server.caches.apiKeys.refresh();
    expect((await get('/admin/caches', `Bearer ${key}`)).statusCode).toBe(200);
    expect((await get('/v1/models', `Bearer ${key}`)).statusCode).toBe(200);
  });
});

describe('the end of a key', () => {
  test('a key that has expired is refused, though it is still in memory', async () => {
    const key = await createApiKey(server.database, {
      userId: 'brief',
      scopes: ['chat'],
      expiresAt: new Date(Date.now() - 1),
    });
    await server.caches.apiKeys.refresh();
    expect(server.caches.apiKeys.has(hashApiKey(key))).toBe(true);
    expect((await get('/v1/models', `Bearer ${key}`)).statusCode).toBe(401);
  });

  test('a key that was revoked is refused from the next refresh on', async () => {
    const key = await createApiKey(server.database, { userId: 'left', scopes: ['chat'] });
    await server.caches.apiKeys.refresh();
    expect((await get('/v1/models', `Bearer ${key}`)).statusCode).toBe(200);
    await revokeApiKey(server.database, server.caches.apiKeys.get(hashApiKey(key))?.id ?? '');
    await server.caches.apiKeys.refresh();
    expect((await get('/v1/models', `Bearer ${key}`)).statusCode).toBe(401);
  });

  test('a key that was made a moment ago works at once', async () => {
    const key = await createApiKey(server.database, { userId: 'new', scopes: ['chat'] });
    expect((await get('/v1/models', `Bearer ${key}`)).statusCode).toBe(200);
  });
});

describe('a flood of made-up keys', () => {
  /** Everybody's address is that of the proxy, where there is one. */
  const flood = async (count: number, remoteAddress: string): Promise<number[]> => {
    const answers = Array.from({ length: count }, () =>
      server.app.inject({ url: '/v1/models', remoteAddress, headers: { authorization: `Bearer ${makeApiKey()}` } }),
    );
    return (await Promise.all(answers)).map(({ statusCode }) => statusCode);
  };
  const withKey = (key: string, remoteAddress: string) =>
    server.app.inject({ url: '/v1/models', remoteAddress, headers: { authorization: `Bearer ${key}` } });

  test('takes nothing from others: a key that was made a moment ago works at once, and none is told to wait', async () => {
    const before = server.flaky.calls;
    const codes = new Set<number>();
    for (let wave = 0; wave < 12; wave += 1) for (const code of await flood(200, '203.0.113.9')) codes.add(code);
    expect([...codes]).toEqual([401]);
    // Whoever asks while a statement is under way shares the next one.
    expect(server.flaky.calls - before).toBeLessThan(120);
    for (const address of ['198.51.100.7', '203.0.113.9']) {
      const key = await createApiKey(server.database, { userId: 'new', scopes: ['chat'] });
      expect((await withKey(key, address)).statusCode).toBe(200);
    }
    expect(server.caches.apiKeys.stats().rateLimited).toBe(0);
  });

  test('that goes on is no reason to wait either', async () => {
    const flooding = flood(500, '203.0.113.9');
    const key = await createApiKey(server.database, { userId: 'new', scopes: ['chat'] });
    const more = flood(500, '203.0.113.9');
    expect((await withKey(key, '198.51.100.7')).statusCode).toBe(200);
    expect(new Set([...(await flooding), ...(await more)])).toEqual(new Set([401]));
  });
});

describe('while the database is away', () => {
  beforeAll(async () => {
    await get('/v1/models', `Bearer ${server.keys.demo}`);
  });

  test('a known key works', async () => {
    server.flaky.down = true;
    expect((await get('/v1/models', `Bearer ${server.keys.demo}`)).statusCode).toBe(200);
  });

  test("the administrator's key works", async () => {
    server.flaky.down = true;
    expect((await get('/admin/caches', `Bearer ${ADMIN_KEY}`)).statusCode).toBe(200);
  });

  test('an unknown key is not called wrong: 503 and "try again", because nobody can say', async () => {
    server.flaky.down = true;
    const answer = await get('/v1/models', `Bearer ${makeApiKey()}`);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.json().error).toMatchObject({ code: 'database_unavailable', type: 'server_error' });
  });
});
