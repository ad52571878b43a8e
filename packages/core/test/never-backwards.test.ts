import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

/** Ways to ask the source for `a`. Two rounds never overlap, so at most one of a pair is one. */
const WAYS: readonly {
  readonly way: string;
  readonly round: boolean;
  readonly ask: (set: SetUp<string>) => Promise<unknown>;
}[] = [
  { way: 'a fetch', round: false, ask: ({ cache }) => cache.fetch('a', { fresh: true }) },
  {
    way: 'a fetchMany',
    round: false,
    ask: ({ cache, source }) => cache.fetchMany(source.fetchMany ? ['a', 'b'] : ['a'], { fresh: true }),
  },
  { way: 'a whole refresh', round: true, ask: ({ cache }) => cache.refresh() },
  { way: 'a refresh of keys', round: true, ask: ({ cache }) => cache.refresh({ keys: ['a'] }) },
];

describe.each(WITH_KEYS)('with $shape', ({ methods }) => {
  for (const first of WAYS) {
    for (const second of WAYS) {
      if (first.round && second.round) continue;
      for (const [earlier, later] of [
        ['v1', 'v2'],
        ['v1', undefined],
        [undefined, 'v2'],
      ] as const) {
        const story = `${earlier ?? 'nothing'} to ${first.way}, then ${later ?? 'nothing'} to ${second.way}`;
        test(`keeps the answer that was requested later: ${story}`, async () => {
          for (const order of ['in order', 'out of order'] as const) {
            const set = setUp<string>({ methods, rows: [['a', 'v0']] });
            const { source, cache, calls } = set;
            await load(set);
            const before = calls.length;
            source.behave('hold');
            const waiting: Promise<unknown>[] = [];
            for (const [way, truth] of [
              [first, earlier],
              [second, later],
            ] as const) {
              if (truth === undefined) source.rows.delete('a');
              else source.rows.set('a', truth);
              waiting.push(way.ask(set));
              await settle();
            }
            const held = calls.slice(before);
            expect(held.length).toBe(2);
            for (const call of order === 'in order' ? held : held.toReversed()) {
              call.answer();
              await settle();
              if (call === held[1]) expect(cache.get('a')).toBe(later);
            }
            source.behave('answer');
            for (const call of calls.slice(before)) call.answer();
            await Promise.all(waiting);
            expect(cache.get('a')).toBe(later);
            expect(cache.has('a')).toBe(later !== undefined);

            // Answers that overlapped have no order: the next refresh reads the key again.
            source.rows.set('a', 'v3');
            await cache.refresh();
            if (source.fetchAll !== undefined || later !== undefined) expect(cache.get('a')).toBe('v3');
            await cache.stop();
          }
        });
      }
    }
  }
});

describe('a key that the source has deleted', () => {
  test.each(WITH_SNAPSHOT)('does not come back by a late single answer ($shape)', async ({ methods }) => {
    const set = setUp<string>({
      methods,
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
    });
    const { source, cache, calls } = set;
    await load(set);
    source.behave('hold');
    const late = cache.fetch('a', { fresh: true });
    source.rows.delete('a');
    source.behave('answer');
    if (methods.length === 1) calls.at(-1)!.answer();
    await cache.refresh();
    expect(cache.has('a')).toBe(false);
    calls[1]!.answer();
    await late;
    expect(cache.has('a')).toBe(false);
    expect(cache.get('b')).toBe('b');
  });

  test('is not told to a fetch that starts after the refresh which left it out, by joining an older one', async () => {
    const { source, cache, calls } = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows: [['a', 'a']] });
    source.behave('hold');
    const older = cache.fetch('a');
    source.rows.delete('a');
    source.behave('answer');
    await cache.refresh();
    const newer = cache.fetch('a');
    calls[0]!.answer();
    expect(await older).toBe('a');
    expect(await newer).toBeUndefined();
  });

  test('does not come back by a snapshot that was requested before', async () => {
    const set = setUp<string>({
      methods: ['fetchAll', 'fetchOne'],
      rows: [
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
        ['d', 'd'],
      ],
    });
    const { source, cache, calls } = set;
    await load(set);
    for (const deleted of ['a', 'd']) {
      // The stream stands in the middle: a is read already, d is not.
      source.behave((_, method) => (method === 'fetchAll' ? 'pause' : 'answer'));
      const refresh = cache.refresh();
      await settle();
      const stream = calls.at(-1)!;
      source.rows.delete(deleted);
      expect(await cache.fetch(deleted, { fresh: true })).toBeUndefined();
      stream.answer();
      expect((await refresh).outcome).toBe('unchanged');
      expect(cache.get(deleted)).toBeUndefined();
      expect(cache.inspect(deleted).state).toBe('absent');
    }
    expect([...cache.keys()]).toEqual(['b', 'c']);
  });

  test('does not come back even if it was not remembered as absent', async () => {
    const set = setUp<string>({
      methods: ['fetchAll', 'fetchOne'],
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
      negativeTtl: 0,
    });
    const { source, cache, calls } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
    const refresh = cache.refresh();
    source.rows.delete('a');
    await cache.fetch('a', { fresh: true });
    calls[1]!.answer();
    await refresh;
    expect(cache.get('a')).toBeUndefined();
    expect(cache.inspect('a').state).toBe('unknown');
  });
});

test('a key that appeared during a snapshot stays, and is not reported as removed', async () => {
  const set = setUp<string>({
    methods: ['fetchAll', 'fetchOne'],
    rows: [
      ['a', 'a'],
      ['b', 'b'],
    ],
  });
  const { source, cache, calls } = set;
  await load(set);
  source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
  const refresh = cache.refresh();
  source.rows.set('new', 'new');
  expect(await cache.fetch('new')).toBe('new');
  calls[1]!.answer();
  expect(await refresh).toMatchObject({ outcome: 'unchanged', removed: 0 });
  expect(cache.get('new')).toBe('new');
  source.behave('answer');
  await cache.refresh();
  expect(cache.get('new')).toBe('new');
});
