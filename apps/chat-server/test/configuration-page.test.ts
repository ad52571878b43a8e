import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { hashApiKey } from '../src/api-keys.ts';
import { usePGlite } from './support/databases.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
const embedded = usePGlite();

test('the page lists every variable that the server reads, in order, and no other', () => {
  const source = readFileSync(new URL('../src/config.ts', import.meta.url), 'utf8');
  const read = [...source.matchAll(/^ {2}\/\*\* `([A-Z_<>]+)`:/gm)].map(([, name]) => name);
  const listed = [...page.matchAll(/^\| `([A-Z_<>]+)` \| \S.* \| \S.* \|$/gm)].map(([, name]) => name);
  expect(read).toContain('PORT');
  expect([...source.matchAll(/read\(['`]([A-Z_]+)/g)].map(([, name]) => name)).toEqual(
    read.map((name) => name?.replace('<NAME>', '')),
  );
  expect(listed).toEqual(read);
});

test('its statements make a key that opens, take it back, and give and take access', async () => {
  const { database } = embedded;
  const [make, revoke, give, take, ...others] = [...page.matchAll(/```sql\n([\s\S]*?);\n```/g)].map(([, sql]) => sql!);
  const [made] = await database.query<{ key: string }>(make!);
  const stored = () =>
    database.query('select user_id, scopes, prefix, revoked_at is null as good from api_keys where key_hash = $1', [
      hashApiKey(made!.key),
    ]);
  const key = { user_id: 'anna', scopes: ['chat'], prefix: made?.key.slice(0, 10) };
  expect(made?.key).toMatch(/^ek_[0-9a-f]{64}$/);
  expect(await stored()).toEqual([{ ...key, good: true }]);
  await database.query(revoke!);
  expect(await stored()).toEqual([{ ...key, good: false }]);

  const users = () => database.query(`select user_id from agent_access where user_id = 'anna'`);
  await database.query(give!);
  expect(await users()).toHaveLength(1);
  await database.query(take!);
  expect(await users()).toHaveLength(0);
  for (const sql of others) await database.query(sql);
});
