import { describe, expect, it } from 'vitest';
import { createApiKey, hashApiKey, makeApiKey, revokeApiKey } from '../src/api-keys.ts';
import { createSources } from '../src/sources.ts';
import { bothDatabases } from './support/databases.ts';

const context = { signal: new AbortController().signal, reason: 'test' };

describe('makeApiKey', () => {
  it('makes keys of 256 random bits that can be told from other tokens', () => {
    const keys = Array.from({ length: 100 }, makeApiKey);
    for (const key of keys) expect(key).toMatch(/^ek_[\w-]{43}$/);
    expect(new Set(keys).size).toBe(100);
  });
});

describe.each(bothDatabases)('API keys on %s', (_, use) => {
  const test = use();
  const find = (key: string) => createSources(test.database).apiKeys.fetchOne?.(hashApiKey(key), context);

  it('are found by their hash, with user, scopes and the moment they expire', async () => {
    const expiresAt = new Date('2030-01-02T03:04:05.678Z');
    const key = await createApiKey(test.database, { userId: 'anna', scopes: ['chat', 'admin'], expiresAt });
    expect(await find(key)).toMatchObject({
      userId: 'anna',
      scopes: ['chat', 'admin'],
      expiresAt: expiresAt.getTime(),
      prefix: key.slice(0, 10),
    });
  });

  it('are nowhere in the database themselves', async () => {
    const key = await createApiKey(test.database, { userId: 'anna', scopes: ['chat'] });
    const rows = await test.database.query('select row_to_json(api_keys)::text as text from api_keys');
    expect(JSON.stringify(rows)).not.toContain(key.slice(11));
  });

  it('open nothing once revoked', async () => {
    const key = await createApiKey(test.database, { userId: 'anna', scopes: ['chat'] });
    const { id } = (await find(key)) as { id: string };
    expect(await revokeApiKey(test.database, id)).toBe(true);
    expect(await find(key)).toBeUndefined();
    expect(await revokeApiKey(test.database, id)).toBe(false);
  });
});
