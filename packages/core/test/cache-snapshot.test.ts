import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { CacheSnapshot } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, SHAPES, setUp, WITH_KEYS } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, { v: string }])[] => [...text].map((key) => [key, { v: key }]);
const FOLLOWING: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchChanges'];

/** Everything that a snapshot says. */
function read(snapshot: CacheSnapshot<{ v: string }>): unknown {
  const keys = [...'abcd', 'new'];
  return {
    size: snapshot.size,
    generation: snapshot.generation,
    values: keys.map((key) => snapshot.get(key)),
    many: snapshot.getMany(keys),
    has: keys.map((key) => snapshot.has(key)),
    keys: [...snapshot.keys()].toSorted(),
    entries: [...snapshot.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}

/** Ways in which what readers see changes. */
const CHANGES: readonly {
  readonly by: string;
  readonly methods: readonly SourceMethod[];
  readonly change: (set: SetUp<{ v: string }>) => Promise<unknown>;
}[] = [
  ...(['fetchAll', 'fetchChanges'] as const).map((method) => ({
    by: method === 'fetchAll' ? 'a snapshot of the source' : 'a delta',
    methods: method === 'fetchAll' ? (['fetchAll', 'fetchOne'] as const) : FOLLOWING,
    change: async ({ source, cache }: SetUp<{ v: string }>) => {
      source.rows.set('a', { v: 'changed' }).set('new', { v: 'new' });
      source.rows.delete('b');
      await cache.refresh();
    },
  })),
  {
    by: 'single fetches',
    methods: FOLLOWING,
    change: async ({ source, cache }) => {
      source.rows.set('a', { v: 'changed' }).set('new', { v: 'new' });
      source.rows.delete('b');
      for (const key of ['a', 'b', 'new']) await cache.fetch(key, { fresh: true });
    },
  },
  {
    by: 'an invalidation',
    methods: FOLLOWING,
    change: async ({ source, cache }) => {
      source.behave('refuse');
      await cache.invalidate(['a', 'b']);
      await settle();
      source.behave('answer');
    },
  },
  {
    by: 'an invalidation of everything, and single fetches after it',
    methods: FOLLOWING,
    change: async ({ source, cache }) => {
      source.behave((_, method) => (method === 'fetchOne' ? 'answer' : 'refuse'));
      await cache.invalidateAll();
      await settle();
      for (const key of ['a', 'new']) await cache.fetch(key);
      source.behave('answer');
    },
  },
  {
    by: 'expiry, and single fetches after it',
    methods: FOLLOWING,
    change: async ({ source, cache, clock }) => {
      source.behave((_, method) => (method === 'fetchOne' ? 'answer' : 'refuse'));
      await clock.advance('20s');
      expect(cache.size).toBe(0);
      for (const key of ['a', 'new']) await cache.fetch(key);
    },
  },
  {
    by: 'expiry of what was fetched singly, and eviction',
    methods: ['fetchOne'],
    change: async ({ source, cache, clock }) => {
      source.rows.set('new', { v: 'new' });
      await cache.fetch('new');
      await clock.advance('20s');
      expect(cache.size).toBe(0);
    },
  },
];

describe.each(CHANGES)('a snapshot stays as it was over $by', ({ methods, change }) => {
  test('and others that are open too, each as it was when it was opened', async () => {
    const bound = methods.includes('fetchAll') ? {} : { maxEntries: 4 };
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abcd'), ttl: '5s', staleIfError: '10s', ...bound });
    const { cache, clock } = set;
    await load(set);
    const first = cache.snapshot();
    const twin = cache.snapshot();
    const told = read(first);
    expect(told).toMatchObject({ size: 4, keys: [...'abcd'], has: [true, true, true, true, false] });
    expect(first.get('a')).toBe(cache.get('a'));
    await change(set);
    expect(read(first)).toEqual(told);
    const second = cache.snapshot();
    const toldThen = read(second);
    expect(toldThen).not.toEqual(told);
    expect(toldThen).toMatchObject({ size: cache.size, generation: cache.status().generation });
    twin.close();
    await change(set);
    await clock.advance('1s');
    for (let turn = 0; turn < 2; turn += 1) {
      expect(read(first)).toEqual(told);
      expect(read(second)).toEqual(toldThen);
    }
    await cache.stop();
  });
});

test.each(CHANGES)(
  'the revision of a cache is another one after $by, and the same while it is only read',
  async ({ methods, change }) => {
    const bound = methods.includes('fetchAll') ? {} : { maxEntries: 4 };
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abcd'), ttl: '5s', staleIfError: '10s', ...bound });
    const { cache, clock } = set;
    await load(set);
    const before = cache.revision;
    expect(cache.getMany([...'abcd', 'unknown']).filter((row) => row !== undefined)).toHaveLength(4);
    await cache.fetchMany([...'abcd']);
    cache.snapshot().close();
    await clock.advance('1s');
    expect(cache.revision).toBe(before);
    await change(set);
    expect(cache.revision).not.toBe(before);
    await cache.stop();
  },
);

test.each(SHAPES)('a walk over several awaits gives each entry once, as it was ($shape)', async ({ methods }) => {
  const set = setUp<{ v: string }>({ methods, rows: rowsOf('abcdef') });
  const { source, cache } = set;
  await load(set);
  const walked: [string, unknown][] = [];
  const snapshot = cache.snapshot();
  for (const [key, row] of snapshot.entries()) {
    walked.push([key, row]);
    // What was given already changes, then what is to come; something is new each time.
    for (const changed of 'bdf') source.rows.set(changed, { v: `changed at ${key}` });
    source.rows.set(`new at ${key}`, { v: 'new' });
    source.rows.delete('e');
    await cache.warm(source.rows.keys());
    for (const again of [...'abcdef']) await cache.fetch(again, { fresh: true });
    if (key === 'c') await cache.invalidate(['a', 'f']);
  }
  expect(walked.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(rowsOf('abcdef'));
  expect([...snapshot.keys()].toSorted()).toEqual([...'abcdef']);
  await cache.stop();
});

test.each(WITH_KEYS)('a change that is made twice is undone once ($shape)', async ({ methods }) => {
  const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab') });
  const { source, cache } = set;
  await load(set);
  const [a] = cache.getMany(['a']);
  const snapshot = cache.snapshot();
  for (const v of ['second', 'third', undefined, 'fourth']) {
    if (v === undefined) source.rows.delete('a');
    else source.rows.set('a', { v });
    await cache.fetch('a', { fresh: true });
    await cache.fetch('c', { fresh: true });
    expect(snapshot.get('a')).toBe(a);
    expect([snapshot.has('c'), snapshot.size]).toEqual([false, 2]);
  }
  await cache.stop();
});

describe('a snapshot is closed', () => {
  const READS: readonly ((snapshot: CacheSnapshot<unknown>) => unknown)[] = [
    (snapshot) => snapshot.get('a'),
    (snapshot) => snapshot.getMany(['a']),
    (snapshot) => snapshot.has('a'),
    (snapshot) => snapshot.size,
    (snapshot) => [...snapshot.keys()],
    (snapshot) => [...snapshot.entries()],
  ];
  const expectClosed = (snapshot: CacheSnapshot<unknown>, why: string): void => {
    for (const reading of READS) {
      let thrown: unknown;
      try {
        reading(snapshot);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ name: 'CacheError', code: 'stopped', cache: 'test' });
      expect((thrown as Error).message).toContain(why);
    }
    expect(snapshot.generation).toBe(1);
  };

  test('by close, once or twice, by using, and by stop', async () => {
    const set = setUp({ rows: rowsOf('ab') });
    const { cache, clock } = set;
    await load(set);
    const timers = clock.pendingTimers;
    const closed = cache.snapshot();
    closed.close();
    closed.close();
    expectClosed(closed, 'the snapshot is closed');
    let used: CacheSnapshot<unknown>;
    {
      using snapshot = cache.snapshot();
      used = snapshot;
      expect(snapshot.size).toBe(2);
    }
    expectClosed(used, 'the snapshot is closed');
    expect(clock.pendingTimers).toBe(timers);
    const stopped = cache.snapshot({ maxAge: '1d' });
    await cache.stop();
    expectClosed(stopped, 'closed');
    expect(clock.pendingTimers).toBe(0);
  });

  test('from the beginning where the cache is stopped: there is none, and no timer for it', async () => {
    const set = setUp<{ v: string }>({ rows: rowsOf('ab') });
    const { cache, clock } = set;
    using before = cache.snapshot();
    expect(before.size).toBe(0);
    await load(set);
    await cache.stop();
    const says = 'cache "test": the cache is stopped';
    expect(() => cache.snapshot()).toThrow(says);
    expect(() => cache.snapshot({ maxAge: '1d' })).toThrow(expect.objectContaining({ code: 'stopped', cache: 'test' }));
    // What is wrong with the call is said first: it would be wrong after a start, too.
    expect(() => cache.snapshot({ maxage: '1d' } as object)).toThrow(TypeError);
    expect(clock.pendingTimers).toBe(0);
    const started = cache.start();
    cache.snapshot().close();
    await started;
    expect(cache.snapshot().size).toBe(2);
    await cache.stop();
  });

  test('when it is older than its maxAge, a minute if nothing is said', async () => {
    const set = setUp({ rows: rowsOf('ab') });
    const { cache, clock } = set;
    await load(set);
    const keepAlive = clock.keepAliveTimers;
    for (const [options, ms] of [
      [undefined, 60_000],
      [{}, 60_000],
      [{ maxAge: '5s' as const }, 5_000],
      [{ maxAge: 250 }, 250],
    ] as const) {
      const snapshot = cache.snapshot(options);
      expect(clock.keepAliveTimers).toBe(keepAlive);
      await clock.advance(ms - 1);
      expect(snapshot.size).toBe(2);
      await clock.advance(1);
      expectClosed(snapshot, 'open for longer than its maxAge');
      snapshot.close();
      expectClosed(snapshot, 'open for longer than its maxAge');
    }
    await cache.stop();
  });

  test('in the middle of a walk: it ends with the error, not as if that had been all', async () => {
    const set = setUp({ rows: rowsOf('abc') });
    await load(set);
    for (const name of ['keys', 'entries'] as const) {
      const snapshot = set.cache.snapshot();
      const walk = snapshot[name]();
      walk.next();
      snapshot.close();
      expect(() => walk.next()).toThrow('the snapshot is closed');
    }
    await set.cache.stop();
  });
});

test('wrong options are a TypeError that says what was expected', () => {
  const { cache, clock } = setUp({ rows: rowsOf('a') });
  const wrong = [
    [{ maxage: '1m' }, 'snapshot: unknown option "maxage"; did you mean "maxAge"?'],
    [{ maxAge: 0 }, 'cache "test": snapshot: option "maxAge": expected a duration greater than 0 and finite'],
    [{ maxAge: null }, 'got null'],
    [{ maxAge: -1 }, 'got -1'],
    [{ maxAge: Number.POSITIVE_INFINITY }, 'got Infinity'],
    [{ maxAge: 'soon' }, 'got "soon"'],
    [null, 'snapshot: expected an object of options, got null'],
    ['1m', 'snapshot: expected an object of options'],
  ] as const;
  for (const [options, says] of wrong) {
    expect(() => cache.snapshot(options as never)).toThrow(TypeError);
    expect(() => cache.snapshot(options as never)).toThrow(says);
  }
  expect(clock.pendingTimers).toBe(0);
});

describe('memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const alive = async (references: readonly WeakRef<object>[]): Promise<number> => {
    for (let round = 0; round < 3; round += 1) {
      await settle();
      collect();
    }
    return references.filter((reference) => reference.deref() !== undefined).length;
  };

  const METHODS: readonly (readonly SourceMethod[])[] = [FOLLOWING, ['fetchAll', 'fetchOne'], ['fetchOne']];

  test.each(METHODS.map((methods) => ({ methods })))(
    'old values are kept while a snapshot is open, the first of each key only, and not after it ($methods)',
    async ({ methods }) => {
      const set = setUp<{ v: string }>({ methods, rows: rowsOf('abc') });
      const { source, cache } = set;
      await load(set);
      const replace = async (turns: number): Promise<WeakRef<object>[]> => {
        const old: WeakRef<object>[] = [];
        for (let turn = 0; turn < turns; turn += 1) {
          for (const key of 'abc') {
            old.push(new WeakRef(cache.get(key)!));
            source.rows.set(key, { v: `${turn} of ${turns}` });
          }
          await cache.refresh();
        }
        source.calls.length = 0;
        return old;
      };
      const snapshot = cache.snapshot();
      const old = await replace(20);
      const kept = await alive(old);
      expect(kept).toBeGreaterThanOrEqual(3);
      expect(kept).toBeLessThanOrEqual(8);
      expect([...snapshot.entries()].toSorted()).toEqual(rowsOf('abc'));
      snapshot.close();
      const [first] = await Promise.all([replace(1), replace(2)]);
      expect(await alive(old.slice(0, 3))).toBe(0);
      expect(await alive(first)).toBe(0);
      expect(snapshot.generation).toBeLessThan(2);
      await cache.stop();
    },
  );

  test('a snapshot that is closed can be collected', async () => {
    const set = setUp({ rows: rowsOf('abc') });
    await load(set);
    const closed: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n += 1) {
      const snapshot = set.cache.snapshot();
      snapshot.close();
      closed.push(new WeakRef(snapshot));
    }
    expect(await alive(closed)).toBeLessThanOrEqual(1);
    await set.cache.stop();
  });
});
