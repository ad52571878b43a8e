import type { AnyCache } from 'evercache';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { embeddedDataDir } from '../../../test/support/embedded-directory.ts';
import { createApiKey } from '../src/api-keys.ts';
import { type Caches, createCaches } from '../src/caches.ts';
import { openDatabase } from '../src/database.ts';
import { InFlight } from '../src/in-flight.ts';
import { Lifespan } from '../src/lifespan.ts';
import { silentLog } from '../src/log.ts';
import { getToolCacheService } from '../src/tool-cache-service.ts';
import { usePGlite } from './support/databases.ts';
import { forever, ScriptedModel } from './support/scripted-model.ts';
import { createTestServer, prepare, stopTestServer, type TestServer } from './support/test-server.ts';

/** One for all tests, each of which has a server of its own over it. */
const embedded = usePGlite();
let server: TestServer;

beforeEach(async () => {
  server = await createTestServer({ database: { ...embedded.database, close: async () => {} } });
});

afterEach(async () => {
  server.flaky.down = false;
  await stopTestServer(server);
});

async function ready() {
  const answer = await server.app.inject('/readyz');
  return { ...answer.json(), code: answer.statusCode };
}

function ask(stream = false): Promise<Response> {
  return fetch(`${server.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...server.as('demo'), 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'listener', stream, messages: [{ role: 'user', content: 'hello' }] }),
  });
}

describe('a database that is down at the start', () => {
  test('means a server that answers, says so, and heals by itself', async () => {
    server.flaky.down = true;
    const started = server.lifespan.start();
    expect((await server.app.inject('/livez')).statusCode).toBe(200);
    expect(await ready()).toMatchObject({
      code: 503,
      checks: { process: { ok: false, phase: 'preparing' }, 'cache:agents': { ok: false, ageMs: null } },
    });
    server.keys.demo = await createApiKey(embedded.database, { userId: 'demo', scopes: ['chat'] });
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await server.app.inject({ url: '/admin/caches', headers: server.as('admin') })).statusCode).toBe(200);

    server.flaky.down = false;
    await started;
    expect(await ready()).toMatchObject({ code: 200 });
    expect((await ask()).status).toBe(200);
  });

  test('can be waited for in vain: the server stops all the same', async () => {
    server.flaky.down = true;
    const started = server.lifespan.start();
    await server.lifespan.drain(0);
    expect(await started).toBeUndefined();
    expect(() => getToolCacheService()).toThrow();
  });
});

test('a server that was told so writes no demo and makes no key', async () => {
  const database = await openDatabase({ dataDir: embeddedDataDir() });
  const caches = createCaches(database);
  const lifespan = new Lifespan({ database, caches, inFlight: new InFlight(), log: silentLog, seedDemo: false });
  expect(await lifespan.start()).toEqual({ demoApiKey: undefined });
  const rows = await database.query('select agent_name from agent_configurations union select prefix from api_keys');
  expect(rows).toEqual([]);
  await lifespan.stop();
});

describe('readiness', () => {
  test('is reached once the caches have loaded, and names each part', async () => {
    expect((await ready()).code).toBe(503);
    await prepare(server);
    expect(await ready()).toEqual({
      code: 200,
      status: 'ready',
      checks: {
        process: { ok: true, phase: 'running' },
        'cache:tools': { ok: true, state: 'live', ageMs: expect.any(Number) },
        'cache:agents': { ok: true, state: 'live', ageMs: expect.any(Number) },
        'cache:api-keys': { ok: true, state: 'live', ageMs: expect.any(Number) },
      },
    });
  });

  test('stays while the database is away and the caches serve what they have', async () => {
    await prepare(server);
    server.flaky.down = true;
    server.logLines.length = 0;
    await server.caches.agents.refresh();
    expect(server.logLines.join('')).toContain('cache degraded: its source fails');
    expect(await ready()).toMatchObject({ code: 200, checks: { 'cache:agents': { ok: true, state: 'degraded' } } });
    expect((await server.app.inject('/livez')).statusCode).toBe(200);
  });

  test('tells the log of a cache that was emptied on request, and blames no source for it', async () => {
    await prepare(server);
    server.logLines.length = 0;
    await server.caches.agents.invalidateAll();
    await expect.poll(() => server.caches.agents.status().state).toBe('live');
    expect(server.logLines.join('')).not.toContain('its source fails');
    expect(server.logLines.join('')).toContain('emptied on request');
  });

  test('ends when what the caches hold is too old to be served', () => {
    const hour = 3_600_000;
    const lifespanWith = (ageMs: number | undefined): Lifespan => {
      const cache = { name: 'x', status: () => ({ state: 'degraded', ageMs }) } as unknown as AnyCache;
      const caches = { tools: cache, agents: cache, apiKeys: cache } as unknown as Caches;
      return new Lifespan({ database: server.database, caches, inFlight: new InFlight(), log: silentLog });
    };
    const ok = (ageMs: number | undefined) => lifespanWith(ageMs).readiness().checks['cache:x']?.ok;
    expect(ok(23 * hour)).toBe(true);
    expect(ok(25 * hour)).toBe(false);
    expect(ok(undefined)).toBe(false);
  });

  test('shows strangers states and ages, and nothing else', async () => {
    await prepare(server);
    expect((await server.app.inject('/readyz')).body).not.toMatch(/postgres|ek_|demo|error|message/i);
  });
});

describe('draining', () => {
  beforeEach(async () => {
    await prepare(server);
  });

  test('refuses new work, says so on /readyz, and lets what is under way finish', async () => {
    let finish: () => void = () => {};
    const thinking = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const model = new ScriptedModel(() => ['begun ', thinking, 'done']);
    server.model = model;
    const answers = [ask(true), ask(false)];
    await expect.poll(() => model.calls.length).toBe(2);
    const drained = server.lifespan.drain(60_000);

    expect(await ready()).toMatchObject({
      code: 503,
      checks: { process: { ok: false, phase: 'draining' }, 'cache:tools': { ok: true } },
    });
    expect((await server.app.inject('/livez')).statusCode).toBe(200);
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('connection')).toBe('close');
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down' } });

    finish();
    const texts = await Promise.all(answers.map(async (answer) => (await answer).text()));
    expect(texts[0]).toMatch(/done[\s\S]*data: \[DONE\]\n\n$/);
    expect(texts[1]).toContain('done');
    await drained;
    expect(server.inFlight.size).toBe(0);
  });

  test('stops what has not finished in time, with an error that clients understand', async () => {
    const model = new ScriptedModel(() => ['begun ', forever]);
    server.model = model;
    const streamed = ask(true).then((answer) => answer.text());
    const whole = ask(false);
    await expect.poll(() => model.calls.length).toBe(2);
    await server.lifespan.drain(0);
    await model.aborted;
    expect(await streamed).toMatch(/data: \{"error":\{[^\n]*"code":"shutting_down"\}\}\n\n$/);
    expect((await whole).status).toBe(503);
  });

  test('stops the caches with the server', async () => {
    expect(server.caches.tools.status().state).toBe('live');
    await server.lifespan.drain(0);
    await server.lifespan.stop();
    expect([...server.caches.registry].map((cache) => cache.status().state)).toEqual(Array(4).fill('stopped'));
  });
});
