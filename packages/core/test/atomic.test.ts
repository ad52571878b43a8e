import { describe, expect, test, vi } from 'vitest';
import { settle } from '../testing/index.ts';
import { load, SHAPES, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

const KEYS = Array.from({ length: 40 }, (_, index) => `key ${index}`);
const rowsOf = (version: string): (readonly [string, string])[] => KEYS.map((key) => [key, version]);

describe.each(SHAPES)('a refresh, with $shape', ({ methods }) => {
  test('is seen whole or not at all, at every turn of the event loop and by every listener', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('v1') });
    const { source, cache, calls } = set;
    await load(set);
    const seen = new Set<string>();
    const look = (): void => {
      const versions = new Set(cache.getMany(KEYS));
      expect(versions.size).toBe(1);
      seen.add([...versions].join());
    };
    cache.on('change', look);
    cache.on('refresh', look);
    cache.on('state', look);
    for (const version of ['v2', 'v3']) {
      for (const [key, value] of rowsOf(version)) source.rows.set(key, value);
      source.behave('pause');
      const refresh = cache.refresh();
      for (let answered = calls.length - 1; answered < calls.length; answered += 1) {
        look();
        await settle();
        look();
        calls[answered]!.answer();
        await settle();
      }
      expect(await refresh).toMatchObject({ outcome: 'published', updated: KEYS.length });
      look();
    }
    expect([...seen]).toEqual(['v1', 'v2', 'v3']);
    await cache.stop();
  });

  test('by keys that fails half-way has changed nothing', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('v1') });
    const { source, cache } = set;
    await load(set);
    for (const [key, value] of rowsOf('v2')) source.rows.set(key, value);
    const before = source.count();
    source.behave((call) => (call - before <= (source.fetchAll || source.fetchMany ? 0 : 5) ? 'answer' : 'fail'));
    expect((await cache.refresh()).outcome).toBe('failed');
    expect(new Set(cache.getMany(KEYS))).toEqual(new Set(['v1']));
    await cache.stop();
  });
});

describe.each(WITH_SNAPSHOT)('a snapshot, with $shape', ({ methods }) => {
  test('that streams is not seen before its end; an iteration begun before goes on over the old set', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('v1') });
    const { source, cache, calls } = set;
    await load(set);
    for (const [key, value] of rowsOf('v2')) source.rows.set(key, value);
    source.rows.delete('key 0');
    source.rows.set('another', 'v2');
    source.behave('pause');
    const refresh = cache.refresh();
    await settle();
    const iteration = cache.entries();
    expect(iteration.next().value).toEqual(['key 0', 'v1']);
    calls.at(-1)!.answer();
    await refresh;
    expect(new Set([...iteration].map(([, value]) => value))).toEqual(new Set(['v1']));
    expect(cache.size).toBe(KEYS.length);
    expect(cache.get('another')).toBe('v2');
    await cache.stop();
  });

  test('of many rows is read in slices: others run in between, and see nothing of it', async () => {
    const rows = Array.from({ length: 6000 }, (_, index) => [`key ${index}`, { index }] as const);
    const set = setUp<object>({ methods, rows });
    // Slices go by the real clock, and a machine may be too fast for them: half a millisecond each time that one looks.
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 0.5;
      return now;
    });
    let turns = 0;
    let done = false;
    const turn = (): void => {
      if (done) return;
      turns += 1;
      if (!set.cache.has('key 0')) expect(set.cache.size).toBe(0);
      setImmediate(turn);
    };
    setImmediate(turn);
    await set.cache.refresh();
    done = true;
    expect(set.cache.size).toBe(rows.length);
    expect(turns).toBeGreaterThan(3);
  });
});

test('listeners of a refresh by keys hear of bad rows when all is stored', async () => {
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
    },
  };
  const { source, cache } = setUp<string>({
    methods: ['fetchMany'],
    schema,
    rows: [
      ['a', 'bad'],
      ['b', 'v1'],
    ],
  });
  const seen: unknown[] = [];
  cache.on('quarantine', () => seen.push(cache.get('b')));
  await cache.warm(['a', 'b']);
  source.rows.set('b', 'v2');
  await cache.refresh({ keys: ['a', 'b'] });
  expect(seen).toEqual(['v1', 'v2']);
});

describe.each(WITH_KEYS.filter(({ methods }) => methods.includes('fetchAll')))(
  'single keys, with $shape, when the last row that is held is among them',
  ({ methods }) => {
    const rows = [
      ['a', 'v1'],
      ['b', 'v1'],
    ] as const;

    test('are all stored, and the generation counted, before a listener hears that nothing is held any more', async () => {
      const { source, cache } = setUp<string>({ methods, rows, guard: {} });
      await cache.start();
      source.rows.clear();
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 2 });
      source.rows.set('b', 'v1');
      await cache.fetch('b', { fresh: true });
      source.rows.set('a', 'v2').set('b', 'v2');
      const { generation } = cache.status();
      const seen: unknown[] = [];
      cache.on('state', ({ to }) => seen.push([to, cache.getMany(['a', 'b']), cache.status().generation - generation]));
      await cache.refresh({ keys: ['a', 'b'] });
      expect(seen).toEqual([['live', ['v2', 'v2'], 1]]);
      await cache.stop();
    });
  },
);

test('a listener hears of nothing before the whole answer of a fetchMany is stored', async () => {
  const { source, cache } = setUp<string>({
    methods: ['fetchAll', 'fetchMany'],
    guard: {},
    rows: [
      ['a', 'v1'],
      ['b', 'v1'],
    ],
  });
  await cache.start();
  source.rows.clear();
  await cache.refresh();
  source.rows.set('b', 'v1');
  await cache.fetch('b', { fresh: true });
  source.rows.set('a', 'v2').set('b', 'v2');
  const seen: unknown[] = [];
  cache.on('state', () => seen.push(cache.getMany(['a', 'b'])));
  await cache.fetchMany(['a', 'b'], { fresh: true });
  expect(seen).toEqual([['v2', 'v2']]);
  await cache.stop();
});
