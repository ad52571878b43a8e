import { describe, expect, test } from 'vitest';
import { type ScriptedCall, settle } from '../testing/index.ts';
import { land, permutations } from './support/land.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, type SetUp, SHAPES, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

/** A way in which an older answer can be under way, and whether the cache holds the rows before. */
interface Path {
  readonly path: string;
  readonly loaded: boolean;
  readonly shapes: typeof SHAPES;
  /** Gives the values its caller was told, if it was told any. */
  readonly ask: (set: SetUp<string>) => Promise<unknown>;
}

const valuesOf = async (found: Promise<ReadonlyMap<string, string>>): Promise<string[]> => [...(await found).values()];
const PATHS: readonly Path[] = [
  { path: 'a fetch', loaded: false, shapes: SHAPES, ask: ({ cache }) => cache.fetch('a') },
  { path: 'a fresh fetch', loaded: true, shapes: SHAPES, ask: ({ cache }) => cache.fetch('a', { fresh: true }) },
  { path: 'a fetchMany', loaded: false, shapes: SHAPES, ask: ({ cache }) => valuesOf(cache.fetchMany(['a', 'b'])) },
  {
    path: 'a fresh fetchMany',
    loaded: true,
    shapes: SHAPES,
    ask: ({ cache }) => valuesOf(cache.fetchMany(['a', 'b'], { fresh: true })),
  },
  { path: 'a warm', loaded: false, shapes: SHAPES, ask: ({ cache }) => cache.warm(['a', 'b']) },
  { path: 'the first load', loaded: false, shapes: WITH_SNAPSHOT, ask: ({ cache }) => cache.start() },
  { path: 'a whole refresh', loaded: true, shapes: SHAPES, ask: ({ cache }) => cache.refresh() },
  { path: 'a refresh of keys', loaded: true, shapes: SHAPES, ask: ({ cache }) => cache.refresh({ keys: ['a', 'b'] }) },
  { path: 'a refresh by the timer', loaded: true, shapes: WITH_SNAPSHOT, ask: ({ clock }) => clock.advance('1m') },
];

const INVALIDATIONS: readonly { readonly how: string; readonly invalidate: (set: SetUp<string>) => Promise<void> }[] = [
  { how: 'invalidate of one key', invalidate: ({ cache }) => cache.invalidate('a') },
  { how: 'invalidate of many keys', invalidate: ({ cache }) => cache.invalidate(['b', 'a']) },
  { how: 'invalidateAll', invalidate: ({ cache }) => cache.invalidateAll() },
];

for (const { path, loaded, shapes, ask } of PATHS) {
  describe(`${path} that is under way`, () => {
    for (const { shape, methods } of shapes) {
      for (const { how, invalidate } of INVALIDATIONS) {
        for (const snapshots of methods.includes('fetchAll') ? (['held', 'paused in the middle'] as const) : ['held']) {
          test(`never brings an old value back after ${how} (${shape}, calls ${snapshots})`, async () => {
            for (const order of ['oldest first', 'newest first'] as const) {
              for (const truth of ['new', undefined]) {
                const set = setUp<string>({ methods, rows: [...'ab'].map((key) => [key, 'old'] as const) });
                const { source, cache, calls } = set;
                if (loaded) await load(set);
                source.behave(snapshots === 'held' ? 'hold' : 'pause');
                const waiting = ask(set);
                await settle();
                const underWay = calls.slice(loaded ? 1 : 0).length;
                expect(underWay).toBeGreaterThan(0);

                for (const key of 'ab')
                  if (truth === undefined) source.rows.delete(key);
                  else source.rows.set(key, truth);
                await invalidate(set);
                const derived = cache.derive((value) => `derived from ${value}`);
                const seesNothingOld = (): void => {
                  expect(cache.get('a')).not.toBe('old');
                  expect(cache.getMany(['a'])[0]).not.toBe('old');
                  expect(derived.get('a')).not.toBe('derived from old');
                  expect(cache.inspect('a').value).not.toBe('old');
                };
                seesNothingOld();
                const fetched = cache.fetch('a');
                const fetchedMany = cache.fetchMany(['a']);
                await land(calls, order, seesNothingOld);
                expect(await fetched).toBe(truth);
                expect((await fetchedMany).get('a')).toBe(truth);
                await waiting;
                expect(cache.get('a')).toBe(truth);
                await cache.stop();
              }
            }
          });
        }
      }
    }
  });
}

describe('several invalidations in a row', () => {
  for (const { shape, methods } of SHAPES) {
    for (const all of [false, true]) {
      const how = all ? 'invalidateAll' : 'invalidate';
      test(`give each fetch what was requested after the last ${how} before it (${shape})`, async () => {
        for (const order of permutations([0, 1, 2])) {
          const { source, cache, calls } = setUp({ methods, rows: [['a', 'v0']] });
          source.behave('hold');
          const fetches = [cache.fetch('a')];
          for (const version of [1, 2]) {
            source.rows.set('a', `v${version}`);
            await (all ? cache.invalidateAll() : cache.invalidate('a'));
            fetches.push(cache.fetch('a'));
          }
          const rank = (call: ScriptedCall<string>): number => order[calls.indexOf(call)] ?? 9;
          await land(calls, (pending) => pending.toSorted((a, b) => rank(a) - rank(b))[0]!);
          for (const [version, fetched] of fetches.entries()) {
            const got = Number((await fetched)!.slice(1));
            expect(got).toBeGreaterThanOrEqual(version);
          }
          expect(cache.get('a')).toBe('v2');
        }
      });
    }
  }
});

describe('an invalidated key', () => {
  for (const { shape, methods } of SHAPES) {
    test(`is unknown, not absent, and its neighbours stay (${shape})`, async () => {
      const set = setUp({ methods, rows: [...'ab'].map((key) => [key, key] as const) });
      await load(set);
      set.source.behave('hang');
      await set.cache.invalidate('a');
      expect(set.cache.inspect('a').state).toBe('unknown');
      expect(set.cache.get('b')).toBe('b');
      expect([...set.cache.keys()]).toEqual(['b']);
      await set.cache.stop();
    });
  }

  test.each(WITH_SNAPSHOT)('comes back by itself, without a fetch ($shape)', async ({ methods }) => {
    const set = setUp({
      methods,
      rows: [
        ['a', 'old'],
        ['b', 'b'],
      ],
    });
    await load(set);
    set.source.rows.set('a', 'new');
    await set.cache.invalidate('a');
    await settle();
    expect(set.cache.get('a')).toBe('new');
    expect(set.calls).toHaveLength(2);
    // Single keys where the source can, else everything.
    expect(set.calls[1]!.method).toBe(methods.at(-1));
    await set.cache.invalidateAll();
    await settle();
    expect(set.cache.get('a')).toBe('new');
    expect(set.cache.size).toBe(2);
  });

  test.each(WITH_SNAPSHOT)(
    'comes back with the next refresh if reading it again failed ($shape)',
    async ({ methods }) => {
      for (const failure of ['fail', 'refuse'] as const) {
        const set = setUp({ methods, rows: [['a', 'old']] });
        await load(set);
        set.source.rows.set('a', 'new');
        set.source.behave(failure);
        await set.cache.invalidate('a');
        await settle();
        expect(set.cache.get('a')).toBeUndefined();
        set.source.behave('answer');
        await set.clock.advance('1m');
        expect(set.cache.get('a')).toBe('new');
      }
    },
  );

  test.each(ON_DEMAND)('of a source without fetchAll waits for the next fetch ($shape)', async ({ methods }) => {
    const set = setUp({ methods, rows: [['a', 'old']] });
    await load(set);
    await set.cache.invalidate('a');
    await set.clock.advance('10m');
    expect(set.calls).toHaveLength(1);
    expect(await set.cache.fetch('a')).toBe('old');
  });

  test.each(WITH_KEYS)(
    'gives a fetch that waits an old value, but not its late stale one ($shape)',
    async ({ methods }) => {
      const set = setUp({ methods, rows: [['a', 'old']], staleIfError: '1h' });
      const { cache, clock, source, calls } = set;
      await cache.fetch('a');
      await clock.advance('6m');
      source.behave('hold');
      const waiting = cache.fetch('a');
      await cache.invalidate('a');
      // What was stale is forgotten: only the source can answer now.
      await clock.advance('1s');
      calls.at(-1)!.answer();
      expect(await waiting).toBe('old');
      expect(cache.get('a')).toBeUndefined();
    },
  );
});

describe('wrong keys', () => {
  test('are a TypeError, and undefined is never "all"', async () => {
    const set = setUp({ rows: [['a', 'a']] });
    await load(set);
    for (const wrong of [undefined, null, 1, {}, new Set(['a']), ['a', undefined]]) {
      await expect(set.cache.invalidate(wrong as never)).rejects.toThrow(TypeError);
      await expect(set.cache.invalidate(wrong as never)).rejects.toThrow('to be a string');
    }
    expect(set.cache.get('a')).toBe('a');
    expect(set.cache.stats().invalidations).toBe(0);
    await set.cache.invalidate([]);
    expect(set.calls).toHaveLength(1);
  });
});
