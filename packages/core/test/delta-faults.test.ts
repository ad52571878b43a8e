import { describe, expect, test } from 'vitest';
import { type Delta, type Source, type StandardSchema, TTLCacheService } from '../src/index.ts';
import type { Behaviour, SourceMethod } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const keys = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `${from + n}`);
const rows = (count: number): (readonly [string, string])[] => keys(0, count).map((key) => [key, `row ${key}`]);
const FOLLOWING = WITH_SNAPSHOT.map(({ shape, methods }) => ({
  shape,
  methods: [...methods, 'fetchChanges'] as readonly SourceMethod[],
}));
const METHODS: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchChanges'];

/** A cache over a source that answers its deltas and snapshots as the test says. */
async function over(
  fetchChanges: (since: unknown) => unknown,
  fetchAll: NonNullable<Source<string>['fetchAll']> = async () => ({ entries: rows(2), cursor: 1 }),
): Promise<{ cache: TTLCacheService<string>; clock: SteadyClock; asked: string[] }> {
  const clock = new SteadyClock();
  const asked: string[] = [];
  const source: Source<string> = {
    fetchAll: (context) => {
      asked.push('all');
      return fetchAll(context);
    },
    fetchChanges: async (since) => {
      asked.push(`since ${since}`);
      return fetchChanges(since) as Delta<string>;
    },
  };
  const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: '5m', refreshInterval: '1h' });
  await cache.start();
  return { cache, clock, asked };
}

describe('a delta that is wrong changes nothing, and the next round is a snapshot', () => {
  const upsert = ['0', 'new'] as const;
  const LIES: readonly (readonly [string, Behaviour])[] = [
    ['a key twice', { lie: [upsert, upsert] }],
    ['a key that is no string', { lie: [upsert, [7, 'new']] }],
    ['a text of two letters for a pair', { lie: [upsert, '10' as never] }],
    ['a row that is undefined', { lie: [upsert, ['1', undefined]] }],
    ['a key that is upserted and deleted', { lie: [upsert], deletes: ['1', '0'] }],
    ['a deleted key that is no string', { lie: [upsert], deletes: [null] }],
    ['no cursor', { lie: [upsert], cursor: undefined }],
  ];
  test.each(LIES)('%s', async (_, lie) => {
    const set = setUp<string>({ methods: METHODS, rows: rows(3) });
    const { source, cache, clock, calls } = set;
    await load(set);
    await clock.advance('1s');
    source.rows.set('0', 'new');
    source.behave(lie);
    const failed = await cache.refresh();
    expect(failed).toMatchObject({ outcome: 'failed', kind: 'delta', error: { code: 'invalid-snapshot' } });
    expect([...cache.entries()]).toEqual(rows(3));
    expect(cache.status()).toMatchObject({ generation: 1, ageMs: 1_000, breaker: 'closed' });
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ kind: 'snapshot', reason: 'manual', updated: 1 });
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged' });
    expect(calls.map(({ method }) => method)).toEqual(['fetchAll', 'fetchChanges', 'fetchAll', 'fetchChanges']);
    await cache.stop();
  });

  const ANSWERS: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['null', null],
    ['a word that is not resync', 'again'],
    ['a list', []],
    ['no deletes', { upserts: [], cursor: 2 }],
    ['no upserts', { deletes: [], cursor: 2 }],
    ['a text for deletes', { upserts: [], deletes: 'ab', cursor: 2 }],
    ['deletes that stream', { upserts: [], deletes: (async function* () {})(), cursor: 2 }],
    ['an age that is none', { upserts: [], deletes: [], cursor: 2, ageMs: -1 }],
    ['an age beyond all use', { upserts: [], deletes: [], cursor: 2, ageMs: 86_400_000 + 300_001 }],
  ];
  test.each(ANSWERS)('%s', async (_, answer) => {
    const { cache, asked } = await over(() => answer);
    const report = await cache.refresh();
    expect(report).toMatchObject({ outcome: 'failed', kind: 'delta', error: { code: 'invalid-snapshot' } });
    expect(cache.size).toBe(2);
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', kind: 'snapshot' });
    expect(asked).toEqual(['all', 'since 1', 'all']);
    await cache.stop();
  });
});

test('a source that gives no position with its snapshot is read whole every time', async () => {
  const { cache, asked } = await over(
    () => 'resync',
    async () => rows(2),
  );
  for (let round = 0; round < 3; round += 1) expect(await cache.refresh()).toMatchObject({ kind: 'snapshot' });
  expect(asked).toEqual(['all', 'all', 'all', 'all']);
  await cache.stop();
});

test('a position may be anything but undefined', async () => {
  for (const cursor of [null, 0, '', false, { lsn: 7 }]) {
    const seen: unknown[] = [];
    const { cache } = await over(
      (since) => {
        seen.push(since);
        return { upserts: [], deletes: [], cursor };
      },
      async () => ({ entries: rows(2), cursor }),
    );
    await cache.refresh();
    await cache.refresh();
    expect(seen).toEqual([cursor, cursor]);
    await cache.stop();
  }
});

test('a delta may have an age, which is that of everything it confirms', async () => {
  const { cache, clock } = await over(() => ({ upserts: [['1', 'new']], deletes: [], cursor: 2, ageMs: 20_000 }));
  await clock.advance('1m');
  await cache.refresh();
  expect(cache.inspect('0')).toMatchObject({ state: 'fresh', ageMs: 20_000 });
  expect(cache.inspect('1')).toMatchObject({ value: 'new', ageMs: 20_000 });
  expect(cache.status().ageMs).toBe(20_000);
  await cache.stop();
});

describe.each(FOLLOWING)('a delta that looks like a catastrophe, with $shape', ({ methods }) => {
  test('becomes a whole snapshot in the same round, which the guard judges', async () => {
    for (const [count, deleted, kind] of [
      [40, 20, 'delta'],
      [40, 21, 'snapshot'],
      [19, 18, 'delta'],
      [2, 2, 'snapshot'],
    ] as const) {
      const set = setUp<string>({ methods, guard: {}, rows: rows(count) });
      const { source, cache } = set;
      await load(set);
      for (const key of keys(0, deleted)) source.rows.delete(key);
      source.rows.set('new', 'new');
      source.rows.delete(count === 2 ? 'new' : 'none');
      const report = await cache.refresh();
      expect([count, report.kind, report.reason]).toEqual([count, kind, 'manual']);
      if (kind === 'delta') expect(report).toMatchObject({ outcome: 'published', removed: deleted });
      else expect(report).toMatchObject({ outcome: 'held', held: deleted, removed: 0 });
      expect(cache.reports()).toHaveLength(2);
      await cache.stop();
    }
  });

  test('does no harm if the snapshot knows better', async () => {
    const set = setUp<string>({ methods, guard: {}, rows: rows(40) });
    const { source, cache } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchChanges' ? { lie: [], deletes: keys(0, 40) } : 'answer'));
    expect(await cache.refresh()).toMatchObject({ kind: 'snapshot', outcome: 'unchanged', unchanged: 40 });
    expect(cache.status().state).toBe('live');
    await cache.stop();
  });

  test('while something is held every round is a snapshot, and afterwards a delta again', async () => {
    const set = setUp<string>({ methods, guard: { acceptAfter: 3 }, rows: rows(40) });
    const { source, cache } = set;
    await load(set);
    for (const key of keys(0, 30)) source.rows.delete(key);
    const kinds: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { kind, outcome } = await cache.refresh();
      kinds.push(`${kind} ${outcome}`);
    }
    expect(kinds).toEqual(['snapshot held', 'snapshot held', 'snapshot published', 'delta unchanged']);
    for (const [key, row] of rows(30)) source.rows.set(key, row);
    await cache.refresh();
    source.rows.clear();
    await cache.refresh();
    expect(cache.accept()).toBe(true);
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged' });
    expect(cache.size).toBe(0);
    await cache.stop();
  });
});

describe.each(FOLLOWING)('a bad row in a delta, with $shape', ({ methods }) => {
  const schema: StandardSchema<string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
    },
  };

  test('keeps its last good value, which ages while deltas confirm the others, until a good one comes', async () => {
    const times = { ttl: '5m', staleIfError: '5m', refreshInterval: '1m' } as const;
    const set = setUp<string>({ methods, schema, rows: rows(3), ...times });
    const { source, cache, clock } = set;
    const announced: unknown[] = [];
    cache.on('quarantine', ({ key }) => announced.push(key));
    await load(set);
    source.rows.set('0', 'bad').set('1', 'new').set('7', 'bad');
    const report = await cache.refresh();
    expect(report).toMatchObject({ kind: 'delta', outcome: 'published', updated: 1, added: 0, quarantined: 2 });
    expect(cache.getMany(['0', '1', '7'])).toEqual(['row 0', 'new', undefined]);
    expect(announced).toEqual(['0', '7']);
    await clock.advance(300_001);
    expect(cache.inspect('0')).toMatchObject({ state: 'stale', ageMs: 300_001, quarantined: 'bad', value: 'row 0' });
    expect(cache.inspect('1').state).toBe('fresh');
    expect(cache.get('0')).toBe('row 0');
    await clock.advance('5m');
    expect(cache.get('0')).toBeUndefined();
    expect(source.count('fetchAll')).toBe(1);
    source.rows.set('0', 'good').set('7', 'good');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', quarantined: 0 });
    expect(cache.getMany(['0', '7'])).toEqual(['good', 'good']);
    expect(cache.stats().quarantined).toBe(0);
    expect(cache.inspect('0')).toMatchObject({ state: 'fresh', ageMs: 0 });
    await cache.stop();
  });

  test('ends when the key is deleted', async () => {
    const set = setUp<string>({ methods, schema, rows: rows(3) });
    const { source, cache } = set;
    await load(set);
    source.rows.set('0', 'bad');
    await cache.refresh();
    source.rows.delete('0');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', removed: 1, quarantined: 0 });
    expect([cache.has('0'), cache.stats().quarantined]).toEqual([false, 0]);
    await cache.stop();
  });
});
