import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import { useTestServer } from './support/test-server.ts';

const server = useTestServer();

describe('whatever is not a success', () => {
  test.each([
    ['an unknown route', 'GET', '/nothing', 404, 'route_not_found'],
    ['a route with another method', 'DELETE', '/v1/models', 404, 'route_not_found'],
    ['a URL that cannot be decoded', 'GET', '/v1/models/%E0%A4%A', 400, 'invalid_request'],
    ['no key', 'GET', '/v1/models', 401, 'missing_api_key'],
  ] as const)('has one envelope and the id of the request: %s', async (_name, method, url, status, code) => {
    const answer = await server.app.inject({ method, url });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['x-request-id']).toMatch(/^req_[0-9a-f-]{36}$/);
    expect(answer.json()).toEqual({
      error: { message: expect.any(String), type: 'invalid_request_error', param: null, code },
    });
  });

  async function send(text: string): Promise<string> {
    const socket = createConnection(Number(new URL(server.address).port), '127.0.0.1').setEncoding('utf8');
    socket.write(text);
    let answer = '';
    for await (const piece of socket) answer += piece;
    return answer;
  }

  test('has it also where the request is no HTTP', async () => {
    expect(await send('hello\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n\{"error":\{"message":"[^"]+","type":"invalid_request_error","param":null,"code":"invalid_request"\}\}$/,
    );
  });

  test('has it also where the headers have no end', async () => {
    const long = `GET /admin/caches/tools/entries/${'k'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`;
    expect(await send(long)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  });
});

test('a name without end is a name that does not exist', async () => {
  const get = async (url: string, who: 'demo' | 'admin') =>
    (await server.app.inject({ url, headers: server.as(who) })).json();
  const name = 'x'.repeat(10_000);
  expect(await get(`/v1/models/${name}`, 'demo')).toMatchObject({ error: { code: 'model_not_found' } });
  expect(await get(`/admin/caches/${name}`, 'admin')).toMatchObject({ error: { code: 'cache_not_found' } });
});

test('one agent is looked up as itself: known before the next refresh, and 503 where nobody can say', async () => {
  const get = async (id: string) =>
    (await server.app.inject({ url: `/v1/models/${id}`, headers: server.as('demo') })).json();
  await server.database.query(
    `insert into agent_configurations (agent_name, instructions, is_public) values ('newest', 'x', true)`,
  );
  expect(await get('newest')).toMatchObject({ id: 'newest', object: 'model' });
  server.flaky.down = true;
  expect(await get('newest')).toMatchObject({ id: 'newest' });
  expect(await get('never_asked_for')).toMatchObject({ error: { code: 'database_unavailable' } });
  server.flaky.down = false;
});

test('a client that leaves while it sends is no failure of this server', async () => {
  const socket = createConnection(Number(new URL(server.address).port), '127.0.0.1');
  const headers = `host: x\r\nauthorization: ${server.as('demo').authorization}\r\ncontent-type: application/json`;
  socket.write(`POST /api/chat HTTP/1.1\r\n${headers}\r\ncontent-length: 1000\r\n\r\n{"half":`);
  await once(server.app.server, 'request');
  server.logLines.length = 0;
  socket.destroy();
  await expect.poll(() => server.logLines.join('')).toContain('"status":499');
  expect(server.logLines.filter((line) => JSON.parse(line).level >= 40)).toEqual([]);
  expect(server.logLines).toHaveLength(1);
});

describe('the page of routes', () => {
  const page = readFileSync(new URL('../../../docs/http-api.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(GET|POST)` \| `(\S+)` \| (none|`\w+`) \| \S/gm)].map(
    ([, method = '', url = '', key = '']) => ({ method: method as 'GET' | 'POST', url, key: key.replaceAll('`', '') }),
  );

  test('lists every route there is, and no other', () => {
    const missing = documented.filter(({ method, url }) => !server.app.hasRoute({ method, url }));
    expect(missing).toEqual([]);
    const routes = server.app.printRoutes().match(/\((GET|POST|PUT|PATCH|DELETE|OPTIONS)\b/g);
    expect(routes).toHaveLength(documented.length);
  });

  test.each(documented)('says truly who may reach $method $url', async ({ method, url, key }) => {
    const call = { method, url: url.replaceAll(/:\w+|\*/g, 'x') };
    const status = async (headers = {}) => (await server.app.inject({ ...call, headers })).statusCode;
    if (key === 'none') expect(await status()).toBe(200);
    else {
      expect(await status()).toBe(401);
      expect(await status(server.as(key === 'admin' ? 'demo' : 'admin'))).toBe(403);
      expect([401, 403]).not.toContain(await status(server.as(key === 'admin' ? 'admin' : 'demo')));
    }
  });
});
