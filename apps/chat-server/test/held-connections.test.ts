import { expect, onTestFinished, test } from 'vitest';
import { useSeededPostgres } from './support/databases.ts';
import { ScriptedModel } from './support/scripted-model.ts';
import { createTestServer, prepare, stopTestServer } from './support/test-server.ts';

const postgres = useSeededPostgres();
test('holds no connection while the model thinks: thirty may think at once, and the thirty-first is answered', async () => {
  const server = await createTestServer({ database: { ...postgres.database, close: async () => {} } });
  onTestFinished(() => stopTestServer(server));
  await prepare(server);
  let finish: () => void = () => {};
  const thinking = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const model = new ScriptedModel((call) => (call <= 30 ? [thinking, 'thought'] : ['quick']));
  server.model = model;
  const chat = (session_id: string) =>
    server.app.inject({
      method: 'POST',
      url: '/api/chat',
      headers: server.as('demo'),
      payload: { agent_name: 'listener', message: 'hello', session_id },
    });
  const thinkers = Array.from({ length: 30 }, (_, index) => chat(`thinker-${index}`));
  await expect.poll(() => model.calls.length).toBe(30);
  expect((await chat('quick')).json()).toMatchObject({ response: 'quick' });
  const busy = await postgres.database.query(
    `select state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
  );
  expect(busy).toEqual([]);
  expect((await server.caches.tools.refresh()).outcome).toBe('unchanged');
  finish();
  for (const answer of await Promise.all(thinkers)) expect(answer.json()).toMatchObject({ response: 'thought' });
});
