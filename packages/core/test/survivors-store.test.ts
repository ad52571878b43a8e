import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { load, SHAPES, setUp } from './support/set-up.ts';

const BOTH = SHAPES.filter(({ methods }) => methods.includes('fetchAll') && methods.length > 1);
const row = z.object({ n: z.number() });
type Row = z.infer<typeof row>;

describe.each(BOTH)('with $shape', ({ methods }) => {
  test('a key that was absent is unknown, not absent, once a snapshot has a row for it that is refused', async () => {
    const set = setUp<Row>({ methods, schema: row, rows: [['b', { n: 1 }]] });
    const { cache, source } = set;
    await load(set);
    expect(await cache.fetch('a', { fresh: true })).toBeUndefined();
    expect(cache.inspect('a').state).toBe('absent');
    source.rows.set('a', { n: 'none' } as unknown as Row);
    await cache.refresh();
    expect(cache.inspect('a').state).toBe('unknown');
    await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed' });
    await cache.stop();
  });

  test('an entry that is fresh beside a stale set is a hit, and no stale one', async () => {
    const rows = [
      ['a', 'a'],
      ['b', 'b'],
    ] as const;
    const set = setUp<string>({ methods, rows, ttl: '1m', refreshInterval: '30s' });
    const { cache, source, clock } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchAll' ? 'fail' : 'answer'));
    await clock.advance('61s');
    expect(await cache.fetch('a', { fresh: true })).toBe('a');
    const [before, calls] = [cache.stats(), source.count()];
    expect([cache.get('b'), cache.get('a'), await cache.fetch('a')]).toEqual(['b', 'a', 'a']);
    expect(cache.stats().staleHits - before.staleHits).toBe(1);
    expect(source.count()).toBe(calls);
    await cache.stop();
  });
});
