import { closeSync, existsSync, openSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { createApiKey } from '../src/api-keys.ts';
import { openDatabase } from '../src/database.ts';
import { startOpenAIEndpoint } from './support/openai-endpoint.ts';
import { ServerProcess } from './support/server-process.ts';

// Each test starts a process, which takes seconds where the machine is busy.
vi.setConfig({ testTimeout: 60_000 });

const LISTENS = /listens on (http:\S+)/;
const DEMO_KEY = /Key of the user "demo".*: (ek_\S+)/;
const ADMIN_KEY = 'the-key-of-the-administrator';

function ask(address: string, key: string, content: string, stream = false): Promise<Response> {
  return fetch(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'listener', stream, messages: [{ role: 'user', content }] }),
  });
}

test('the first start says where it listens and prints two keys, once, that work; the log holds no key and no body', async () => {
  const server = new ServerProcess();
  const address = await server.says(LISTENS);
  const adminKey = await server.says(/Admin key.*: (ek_\S+)/);
  const demoKey = await server.says(DEMO_KEY);
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

  const SECRET = 'my-private-question';
  expect((await ask(address, demoKey, SECRET)).status).toBe(200);
  expect((await ask(address, `ek_wrong-${SECRET}`, SECRET)).status).toBe(401);
  const admin = { authorization: `Bearer ${adminKey}` };
  expect(
    (await fetch(`${address}/admin/caches/tools/entries/${SECRET}?value=${SECRET}`, { headers: admin })).status,
  ).toBe(200);
  expect((await fetch(`${address}/${SECRET}`)).status).toBe(404);

  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);
  for (const text of [adminKey, demoKey, SECRET, 'Bearer', 'authorization']) expect(server.stdout).not.toContain(text);
  expect(server.stderr.split(adminKey)).toHaveLength(2);
  expect(server.stderr.split(demoKey)).toHaveLength(2);
  const requests = server.logLines().filter(({ msg }) => msg === 'request');
  expect(requests.map(({ status }) => status)).toEqual([200, 401, 200, 404]);
  for (const line of requests)
    expect(line).toMatchObject({
      reqId: expect.stringMatching(/^req_/),
      method: expect.any(String),
      tookMs: expect.any(Number),
    });
});

describe('the end', () => {
  // Quicker than an embedded database for each.
  const postgres = usePostgres();

  async function makeKey(server: ServerProcess): Promise<string> {
    await server.says(/Ready/);
    const database = await openDatabase({ databaseUrl: postgres.url, dataDir: '' });
    const key = await createApiKey(database, { userId: 'somebody', scopes: ['chat'] });
    await database.close();
    return key;
  }

  test('a signal lets an answer under way come to its end; a chosen key for administrators is never printed', async () => {
    const endpoint = await startOpenAIEndpoint();
    const server = new ServerProcess({
      DATABASE_URL: postgres.url,
      ADMIN_API_KEY: ADMIN_KEY,
      OPENAI_BASE_URL: endpoint.baseUrl,
      OPENAI_API_KEY: 'sk-upstream',
    });
    const address = await server.says(LISTENS);
    const demoKey = await makeKey(server);
    const answer = await ask(address, demoKey, 'hello', true);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    expect(endpoint.requests[0]?.authorization).toBe('Bearer sk-upstream');

    server.child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${address}/readyz`)).status).toBe(503);
    expect((await ask(address, demoKey, 'too late')).status).toBe(503);
    endpoint.finish();
    expect(await answer.text()).toMatch(/begun [\s\S]*and done[\s\S]*data: \[DONE\]\n\n$/);
    expect(await server.ended).toBe(0);
    expect(server.stderr + server.stdout).not.toContain(ADMIN_KEY);
    expect(server.stderr + server.stdout).not.toContain('sk-upstream');
    await expect(fetch(address)).rejects.toThrow();
  });

  test('an answer that does not end is stopped after the grace, and a connection that says nothing keeps nobody waiting', async () => {
    const endpoint = await startOpenAIEndpoint();
    const server = new ServerProcess({
      DATABASE_URL: postgres.url,
      OPENAI_BASE_URL: endpoint.baseUrl,
      SHUTDOWN_GRACE_SECONDS: '0',
    });
    const address = await server.says(LISTENS);
    const answer = await ask(address, await makeKey(server), 'hello', true);
    await expect.poll(() => endpoint.requests.length).toBe(1);
    const silent = createConnection(Number(new URL(address).port), '127.0.0.1').on('error', () => {});
    await new Promise((resolve) => silent.once('connect', resolve));

    server.child.kill('SIGTERM');
    expect(await answer.text()).toContain('"code":"shutting_down"');
    expect(await Promise.race([server.ended, sleep(5000, 'still running')])).toBe(0);
  });

  test('a second signal ends the process at once', async () => {
    const endpoint = await startOpenAIEndpoint();
    const server = new ServerProcess({
      DATABASE_URL: postgres.url,
      OPENAI_BASE_URL: endpoint.baseUrl,
      SHUTDOWN_GRACE_SECONDS: '600',
    });
    const address = await server.says(LISTENS);
    const answer = ask(address, await makeKey(server), 'hello', true).then((response) => response.text());
    answer.catch(() => {});
    await expect.poll(() => endpoint.requests.length).toBe(1);
    server.child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${address}/readyz`)).status).toBe(503);
    server.child.kill('SIGTERM');
    expect(await Promise.race([server.ended, sleep(5000, 'still running')])).toBe(1);
  });
});

test('a port that is taken ends the process with code 1 and says which', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const server = new ServerProcess({ PORT: String(port), DATABASE_URL: 'postgres://127.0.0.1:1/none' });
  expect(await server.ended).toBe(1);
  expect(server.stderr).toContain(`127.0.0.1:${port}`);
  other.close();
});

describe('a log that nobody reads', () => {
  const postgres = usePostgres();

  /** Says more than a pipe and what Node reads ahead of its readers can take. */
  async function saying(lines: number): Promise<ServerProcess> {
    const server = new ServerProcess({ DATABASE_URL: postgres.url, ADMIN_API_KEY: ADMIN_KEY });
    const address = await server.says(LISTENS);
    await server.says(/Ready/);
    server.child.stdout?.pause();
    const lane = async (): Promise<void> => {
      for (let n = 0; n < lines / 10; n += 1) await (await fetch(`${address}/nothing`)).text();
    };
    await Promise.all(Array.from({ length: 10 }, lane));
    return server;
  }

  test('holds up no answer, and all of it is there once it is read', async () => {
    const server = await saying(6000);
    server.child.kill('SIGTERM');
    server.child.stdout?.resume();
    expect(await server.ended).toBe(0);
    expect(server.logLines().filter(({ msg }) => msg === 'request')).toHaveLength(6000);
  });

  test('keeps no server from its end', async () => {
    const server = await saying(6000);
    const exited = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});

describe.skipIf(!existsSync('/dev/full'))('a log that cannot be written', () => {
  const postgres = usePostgres();

  function fullDisk(): number {
    const file = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(file));
    return file;
  }

  test('keeps no server from answering and from its end', async () => {
    const server = new ServerProcess({ DATABASE_URL: postgres.url }, fullDisk());
    const address = await server.says(LISTENS);
    await server.says(/Ready/);
    expect((await fetch(`${address}/nothing`)).status).toBe(404);
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  });

  test('keeps no server that cannot start from its end', async () => {
    const environment = { HOST: '192.0.2.1', DATABASE_URL: 'postgres://127.0.0.1:1/none' };
    const server = new ServerProcess(environment, fullDisk());
    expect(await server.ended).toBe(1);
    expect(server.stderr).toContain('192.0.2.1');
  });
});
