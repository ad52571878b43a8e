/** The examples of docs/testing.md, word by word: compiled and run here. */
import { readFileSync } from 'node:fs';
import { TTLCacheService } from 'evercache';
import { ScriptedSource, type SourceHarness, sourceContract, VirtualClock } from 'evercache/testing';
import { expect, test } from 'vitest';

test('prices outlive an outage', async () => {
  const clock = new VirtualClock();
  const source = new ScriptedSource({ clock, rows: [['apple', 3]] });
  await using prices = new TTLCacheService<number>({ name: 'prices', source, clock, ttl: '5m' });
  await prices.start();

  source.behave('fail');
  await clock.advance('1h');
  expect(prices.get('apple')).toBe(3);
  expect(prices.status().state).toBe('degraded');

  source.rows.set('apple', 4);
  source.behave('answer');
  await clock.advance('1m');
  expect(prices.get('apple')).toBe(4);
});

test('a laptop that slept does not take old prices for new ones', async () => {
  const clock = new VirtualClock();
  const source = new ScriptedSource({ clock, rows: [['apple', 3]] });
  await using prices = new TTLCacheService<number>({ name: 'prices', source, clock, ttl: '5m' });
  await prices.start();

  clock.jumpWall(-86_400_000);
  expect(prices.inspect('apple')).toMatchObject({ state: 'fresh', ageMs: 0 });
  clock.suspend('8h');
  expect(prices.inspect('apple').ageMs).toBe(8 * 3_600_000);

  source.rows.set('apple', 4);
  await clock.advance(0);
  expect(prices.get('apple')).toBe(4);
});

test('a key that comes twice changes nothing', async () => {
  const clock = new VirtualClock();
  const source = new ScriptedSource({ clock, rows: [['apple', 3]] });
  await using prices = new TTLCacheService<number>({ name: 'prices', source, clock });
  await prices.start();

  const pears = [
    ['pear', 1],
    ['pear', 2],
  ] as const;
  source.behave({ lie: pears });
  const { outcome, error } = await prices.refresh();
  expect([outcome, error?.code]).toEqual(['failed', 'invalid-snapshot']);
  expect([...prices.entries()]).toEqual([['apple', 3]]);
});

async function makeHarness(): Promise<SourceHarness<string>> {
  const table = new Map<string, string>();
  return {
    source: {
      fetchAll: async ({ signal }) => {
        signal.throwIfAborted();
        return new Map(table);
      },
      fetchOne: async (key, { signal }) => {
        signal.throwIfAborted();
        return table.get(key);
      },
    },
    setRows: async (rows) => {
      for (const key of table.keys()) if (!rows.has(key)) table.delete(key);
      for (const [key, value] of rows) table.set(key, value);
    },
    value: (seed) => `value ${seed}`,
  };
}

for (const { title, run } of sourceContract(makeHarness, { nudgeWithin: '1s' })) test(title, run);

test('docs/testing.md says nothing that is not run here', () => {
  const [page, here] = [new URL('../../../docs/testing.md', import.meta.url), new URL(import.meta.url)].map((url) =>
    readFileSync(url, 'utf8'),
  );
  const examples = [...page!.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, example]) => example!);
  expect(examples).toHaveLength(4);
  for (const example of examples) expect(here).toContain(example);
});
