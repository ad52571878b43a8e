import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { load, type SetUp, SHAPES, setUp, WITH_KEYS } from './support/set-up.ts';

interface Row {
  readonly n: number;
  readonly nested?: readonly { readonly name: string }[];
}

const row = (n: number): Row => ({ n, nested: [{ name: 'x' }] });

/** The source hands out equal rows, but new objects, at each call. */
function copying(set: SetUp<Row>): SetUp<Row> {
  const get = set.source.rows.get.bind(set.source.rows);
  set.source.rows.get = (key) => structuredClone(get(key));
  return set;
}

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('an unchanged row keeps its object over refreshes of every kind, and over single fetches', async () => {
    const set = copying(
      setUp<Row>({
        methods,
        rows: [
          ['a', row(1)],
          ['b', row(2)],
        ],
        refreshInterval: '1m',
      }),
    );
    const { source, cache, clock } = set;
    await load(set);
    const a = cache.get('a');
    expect(a).toEqual(row(1));
    const unchanged: (() => Promise<unknown>)[] = [
      () => cache.refresh(),
      () => cache.refresh({ keys: ['a'] }),
      () => clock.advance('3m'),
      () => cache.fetch('a', { fresh: true }),
      () => cache.fetchMany(['a', 'b'], { fresh: true }),
    ];
    for (const again of unchanged) {
      const before = source.count();
      await again();
      expect(source.count()).toBeGreaterThan(before);
      expect(cache.get('a')).toBe(a);
    }
    expect(await cache.fetch('a', { fresh: true })).toBe(a);
    expect((await cache.fetchMany(['a'], { fresh: true })).get('a')).toBe(a);
    source.rows.set('a', row(3));
    expect(await cache.refresh()).toMatchObject({ updated: 1, unchanged: 1 });
    expect(cache.get('a')).not.toBe(a);
    expect(cache.get('a')).toEqual(row(3));
    await cache.stop();
  });

  test('keeps its object through an outage', async () => {
    const set = copying(setUp<Row>({ methods, rows: [['a', row(1)]] }));
    const { source, cache, clock } = set;
    await load(set);
    const a = cache.get('a');
    source.behave('fail');
    await clock.advance('10m');
    expect(await cache.fetch('a')).toBe(a);
    source.behave('answer');
    await clock.advance('1m');
    expect(await cache.fetch('a')).toBe(a);
    await cache.stop();
  });

  test('the same object handed over again is not compared, and counts as unchanged', async () => {
    const value = row(1);
    const set = setUp<Row>({ methods, rows: [['a', value]] });
    await load(set);
    expect(set.cache.get('a')).toBe(value);
    expect(await set.cache.refresh()).toMatchObject({ outcome: 'unchanged', unchanged: 1 });
    expect(set.cache.get('a')).toBe(value);
    await set.cache.stop();
  });
});

describe('an equal row', () => {
  test('keeps its object if a single answer and a snapshot overlap', async () => {
    for (const singleLandsFirst of [true, false]) {
      const set = copying(
        setUp<Row>({
          methods: ['fetchAll', 'fetchOne'],
          rows: [
            ['a', row(1)],
            ['b', row(1)],
          ],
        }),
      );
      const { source, cache, calls } = set;
      await load(set);
      source.rows.set('a', row(2));
      source.behave('hold');
      const single = cache.fetch('a', { fresh: true });
      source.behave('pause');
      const refresh = cache.refresh();
      await settle();
      // Half of the snapshot is read: a was compared with the old row.
      if (singleLandsFirst) calls[1]!.answer();
      await settle();
      const seen = cache.get('a');
      calls[2]!.answer();
      await refresh;
      if (singleLandsFirst) expect(cache.get('a')).toBe(seen);
      const now = cache.get('a');
      calls[1]!.answer();
      await single;
      expect(cache.get('a')).toBe(now);
      await cache.stop();
    }
  });

  test.each(WITH_KEYS)('that was past its ttl keeps its object ($shape)', async ({ methods }) => {
    const { cache, clock } = copying(setUp<Row>({ methods, rows: [['a', row(1)]] }));
    const a = await cache.fetch('a');
    await clock.advance('6m');
    expect(await cache.fetch('a')).toBe(a);
  });
});

describe('objects that are no plain data', () => {
  class Money {
    readonly amount: number;
    constructor(amount: number) {
      this.amount = amount;
    }
  }

  const KINDS: readonly { readonly kind: string; readonly make: (n: number) => object }[] = [
    { kind: 'Date', make: (n) => new Date(n) },
    { kind: 'Map', make: (n) => new Map([['n', { n }]]) },
    { kind: 'Set', make: (n) => new Set([n]) },
    { kind: 'Buffer', make: (n) => Buffer.from([n]) },
    { kind: 'Uint8Array', make: (n) => new Uint8Array([n]) },
    { kind: 'class instance', make: (n) => new Money(n) },
    { kind: 'RegExp', make: (n) => new RegExp(String(n)) },
    { kind: 'URL', make: (n) => new URL(`http://example.com/${n}`) },
  ];

  test.each(KINDS)('a $kind is kept as it is, compared structurally, and not frozen', async ({ make }) => {
    for (const wrap of [(value: object): object => value, (value: object): object => ({ deep: [value] })]) {
      const set = setUp<object>({ rows: [['a', wrap(make(1))]] });
      const { source, cache } = set;
      await load(set);
      const a = cache.get('a')!;
      const inner = 'deep' in a ? (a.deep as object[])[0]! : a;
      expect(inner.constructor).toBe(make(1).constructor);
      expect(Object.isFrozen(inner)).toBe(false);
      source.rows.set('a', wrap(make(1)));
      await cache.refresh();
      expect(cache.get('a')).toBe(a);
      source.rows.set('a', wrap(make(2)));
      await cache.refresh();
      expect(cache.get('a')).not.toBe(a);
      expect(cache.get('a')).toEqual(wrap(make(2)));
      await cache.stop();
    }
  });
});

describe('rows that are nested too deep to be compared', () => {
  const nested = (depth: number): object => {
    let value: object = {};
    for (let level = 0; level < depth; level += 1) value = { value };
    return value;
  };

  test.each(SHAPES)('cost nobody else anything: they count as changed ($shape)', async ({ methods }) => {
    const set = setUp<object>({
      methods,
      rows: [
        ['deep', nested(50_000)],
        ['a', { n: 1 }],
      ],
    });
    const { source, cache } = set;
    await load(set);
    expect(cache.size).toBe(2);
    source.rows.set('deep', nested(50_000)).set('a', { n: 2 });
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', updated: 2 });
    expect(cache.get('a')).toEqual({ n: 2 });
    expect(Object.isFrozen(cache.get('deep'))).toBe(true);
    expect(await cache.fetch('deep', { fresh: true })).toBeDefined();
    await cache.stop();
  });
});

test.each(SHAPES)(
  "lists in another order are another value: the order is the source's ($shape)",
  async ({ methods }) => {
    const set = setUp<readonly number[]>({ methods, rows: [['a', [1, 2]]] });
    await load(set);
    set.source.rows.set('a', [2, 1]);
    expect(await set.cache.refresh()).toMatchObject({ updated: 1 });
    expect(set.cache.get('a')).toEqual([2, 1]);
    await set.cache.stop();
  },
);

test('an answer that may no longer be stored is given as the object that is held, if it is equal', async () => {
  const { source, cache } = setUp<object>({ rows: [['a', { n: 1 }]] });
  source.behave('hold');
  const fetched = cache.fetch('a');
  const refreshed = cache.refresh();
  await settle();
  source.calls[1]!.answer();
  await refreshed;
  // An equal answer, of a request sent earlier: a second object of the same row.
  source.calls[0]!.answer(new Map([['a', { n: 1 }]]));
  expect(await fetched).toBe(cache.get('a'));
  await cache.stop();
});
