/** The server starts while PostgreSQL is down, out of the files that an earlier one has left. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PrivatePostgres } from '../../../test/support/private-postgres.ts';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { createApiKey, revokeApiKey } from '../src/api-keys.ts';
import { openDatabase } from '../src/database.ts';
import { keepIn } from '../src/snapshots.ts';
import { ServerProcess } from './support/server-process.ts';

vi.setConfig({ testTimeout: 120_000 });

const ADMIN_KEY = 'the-key-of-the-administrator';
const postgres = usePrivatePostgres();
let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'evercache-chat-snapshots-')), 'made by the server');
});

afterEach(() => rm(dirname(directory), { recursive: true, force: true }));

function startServer(
  url: string,
  snapshots = directory,
  level = 'fatal',
): { readonly server: ServerProcess; readonly address: Promise<string> } {
  const server = new ServerProcess({
    DATABASE_URL: url,
    SNAPSHOT_DIR: snapshots,
    ADMIN_API_KEY: ADMIN_KEY,
    LOG_LEVEL: level,
  });
  return { server, address: server.says(/listens on (http:\S+)/) };
}

function chat(address: string, key: string, content: string, model = 'shop_assistant'): Promise<Response> {
  return fetch(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content }] }),
  });
}

async function readiness(address: string): Promise<number> {
  return (await fetch(`${address}/readyz`)).status;
}

async function states(address: string): Promise<Record<string, string>> {
  const answer = await fetch(`${address}/admin/caches`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  const { caches } = (await answer.json()) as { caches: { name: string; status: { state: string } }[] };
  return Object.fromEntries(caches.map(({ name, status }) => [name, status.state]));
}

/** A server that has been there before: it has left its files, and is gone. Answers a key for a user it has never seen. */
async function before(url: string): Promise<{ key: string; revoked: string }> {
  const { server } = startServer(url);
  await server.says(/Ready/);
  const database = await openDatabase({ databaseUrl: url, dataDir: '' });
  const [key, revoked] = [await createApiKey(database, ANNA), await createApiKey(database, ANNA)];
  const [row] = await database.query<{ id: string }>('select id from api_keys where prefix = $1', [
    revoked.slice(0, 10),
  ]);
  const refresh = async (cache: string): Promise<void> => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
    const url = `${await server.says(/listens on (http:\S+)/)}/admin/caches/${cache}/refresh`;
    expect((await fetch(url, { method: 'POST', headers, body: '{"all": true}' })).status).toBe(200);
  };
  await refresh('api-keys');
  await revokeApiKey(database, row!.id);
  await refresh('api-keys');
  await refresh('tools');
  await database.close();
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);
  return { key, revoked };
}

const ANNA = { userId: 'anna', scopes: ['chat'] };

describe.each([
  ['down', (server: PrivatePostgres) => server.kill(), (server: PrivatePostgres) => server.restart()],
  ['frozen', async (server: PrivatePostgres) => server.freeze(), async (server: PrivatePostgres) => server.thaw()],
])('with PostgreSQL %s at its start', (_name, takeAway, giveBack) => {
  test('a server that has its files is ready, knows its models and chats; it heals when the database is back', async () => {
    const url = await postgres.server.createDatabase();
    const { key, revoked } = await before(url);
    await takeAway(postgres.server);
    try {
      const { address: listening } = startServer(url);
      const address = await listening;
      await expect.poll(() => readiness(address), { timeout: 10_000 }).toBe(200);
      const models = await fetch(`${address}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
      expect(await models.json()).toMatchObject({
        data: expect.arrayContaining([{ id: 'shop_assistant', object: 'model', created: 0, owned_by: 'chat-server' }]),
      });
      const answer = await chat(address, key, 'call get_working_hours {}');
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('Europe/Berlin')]);
      // Nobody can say.
      expect((await chat(address, revoked, 'hello')).status).toBe(503);
      await giveBack(postgres.server);
      await expect
        .poll(() => states(address), { timeout: 60_000 })
        .toEqual({ tools: 'live', agents: 'live', 'api-keys': 'live', 'user-instructions': 'live' });
      expect((await chat(address, revoked, 'hello')).status).toBe(401);
    } finally {
      await giveBack(postgres.server).catch(() => {});
    }
  });
});

test('the files are for this user alone, and hold no key', async () => {
  const { key } = await before(await postgres.server.createDatabase());
  const names = await readdir(directory);
  expect(names.toSorted()).toEqual([
    'agent-tools.snapshot',
    'agents.snapshot',
    'api-keys.snapshot',
    'user-instructions.snapshot',
  ]);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  for (const name of names) {
    const path = join(directory, name);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const text = await readFile(path, 'latin1');
    // The first characters are kept to tell keys apart.
    expect(text).not.toContain(key.slice(10));
    expect(text).not.toContain(ADMIN_KEY);
  }
});

test('files of another database are not taken for those of this one', async () => {
  const source = { fetchAll: async () => [['a', 1]] as const };
  const context = { signal: new AbortController().signal, reason: 'restore' };
  const kept = (databaseUrl: string) => keepIn(directory, databaseUrl)('rows', source, 'select 1');
  const first = kept('postgres://anna:secret@one/chat');
  const snapshot = (await first.fetchAll!(context)) as { entries: Iterable<unknown>; published(): void };
  expect([...snapshot.entries]).toHaveLength(1);
  snapshot.published();
  await first.stopped!();
  const same = kept('postgres://other@one/chat');
  expect(await same.restore!(context)).toBeDefined();
  await same.stopped!();
  const other = kept('postgres://anna:secret@one/staging');
  expect(await other.restore!(context)).toBeUndefined();
  await other.stopped!();
});

test('a folder that cannot be written to is told in the log, and keeps no server from starting', async () => {
  const { server } = startServer(await postgres.server.createDatabase(), '/dev/null/snapshots', 'warn');
  await server.says(/Ready/);
  expect(await readiness(await server.says(/listens on (http:\S+)/))).toBe(200);
  await expect.poll(() => server.stdout, { timeout: 10_000 }).toContain('the file of a cache is no help');
});
