import { describe, expect, test } from 'vitest';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);
const FOLLOWING = WITH_SNAPSHOT.map(({ shape, methods }) => ({
  shape,
  methods: [...methods, 'fetchChanges'] as readonly SourceMethod[],
  single: methods.find((method) => method !== 'fetchAll'),
}));

describe.each(FOLLOWING)('following changes with $shape, what was invalidated', ({ methods, single }) => {
  test('is read again at once, though no delta would bring it', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    const before = calls.length;
    await cache.invalidate(['a', 'b']);
    expect([cache.inspect('a').state, cache.get('b')]).toEqual(['unknown', undefined]);
    await settle();
    expect(cache.getMany([...'abc'])).toEqual([...'abc']);
    const read = calls.slice(before).map(({ method, keys }) => `${method} ${keys}`);
    if (single === undefined) expect(read).toEqual(['fetchAll a,b,c']);
    else expect(read).toEqual(single === 'fetchMany' ? ['fetchMany a,b'] : ['fetchOne a', 'fetchOne b']);
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'invalidate', kind: single ? 'delta' : 'snapshot' });
    const { length } = calls;
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged' });
    expect(calls.length).toBe(length + 1);
    source.rows.set('a', 'new');
    await cache.refresh();
    expect(cache.get('a')).toBe('new');
    await cache.stop();
  });

  test('is read again by the next rounds if that fails, until it succeeds', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchChanges' ? 'answer' : 'refuse'));
    await cache.invalidate('a');
    await settle();
    for (let round = 0; round < 3; round += 1) {
      const report = await cache.refresh();
      // Without single reads nothing but a whole snapshot would bring it back.
      expect(report.outcome).toBe(single ? 'unchanged' : 'failed');
      expect(report.error).toMatchObject({ code: 'source-failed' });
      expect([cache.inspect('a').state, cache.get('b')]).toEqual(['unknown', 'b']);
    }
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ added: 1, kind: single ? 'delta' : 'snapshot' });
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', value: 'a', ageMs: 0 });
    await cache.stop();
  });

  test('is no business of the round any more once a delta has brought it, or said that it is deleted', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchChanges' ? 'answer' : 'refuse'));
    // The round that the invalidation asks for fails.
    source.rows.set('a', 'new');
    source.rows.delete('b');
    await cache.invalidate(['a', 'b']);
    await settle();
    const before = calls.length;
    const report = await cache.refresh();
    if (single === undefined) {
      expect(report).toMatchObject({ outcome: 'failed', kind: 'snapshot' });
    } else {
      expect(report).toMatchObject({ outcome: 'published', kind: 'delta', added: 1 });
      expect(report).not.toHaveProperty('error');
      expect(calls.slice(before).map(({ method }) => method)).toEqual(['fetchChanges']);
      expect(cache.getMany(['a', 'b'])).toEqual(['new', undefined]);
    }
    await cache.stop();
  });

  test('does not come back by a delta that was sent before, and comes back by the round after it', async () => {
    for (const value of ['new', undefined]) {
      const set = setUp<string>({ methods, rows: rowsOf('abc') });
      const { source, cache, calls } = set;
      await load(set);
      source.rows.set('a', 'older');
      source.behave((_, method) => (method === 'fetchChanges' ? 'hold' : 'answer'));
      const refreshed = cache.refresh();
      await settle();
      const delta = calls.at(-1)!;
      if (value === undefined) source.rows.delete('a');
      else source.rows.set('a', value);
      const seen: unknown[] = [];
      cache.on('change', () => seen.push(cache.get('a')));
      await cache.invalidate('a');
      delta.answer();
      await refreshed;
      source.behave('answer');
      await settle();
      for (const call of calls) call.answer();
      await cache.refresh();
      expect(cache.get('a')).toBe(value);
      expect(seen).not.toContain('older');
      expect(seen).not.toContain('a');
      await cache.stop();
    }
  });

  test('in great number is a whole snapshot', async () => {
    const rows = Array.from({ length: 1_001 }, (_, n) => [`${n}`, 'old'] as const);
    const set = setUp<string>({ methods, rows });
    const { source, cache, calls } = set;
    await load(set);
    const before = calls.length;
    await cache.invalidate(rows.map(([key]) => key));
    await settle();
    expect(calls.slice(before).map(({ method }) => method)).toEqual(['fetchAll']);
    expect(cache.size).toBe(1_001);
    source.rows.set('7', 'new');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', updated: 1 });
    await cache.stop();
  });

  test('altogether is a whole snapshot, which goes on from its own position', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('a', 'new');
    await cache.invalidateAll();
    expect(cache.size).toBe(0);
    await settle();
    expect(cache.getMany([...'abc'])).toEqual(['new', 'b', 'c']);
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'invalidate', kind: 'snapshot' });
    await cache.refresh();
    expect(calls.map(({ method, since }) => [method, since])).toEqual([
      ['fetchAll', undefined],
      ['fetchAll', undefined],
      ['fetchChanges', source.cursor],
    ]);
    await cache.stop();
  });
});

describe.each(FOLLOWING)('following changes with $shape, a refresh of keys', ({ methods, single }) => {
  test('reads these, and leaves the position of the deltas where it is', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('a', 'new').set('b', 'new');
    const report = await cache.refresh({ keys: ['a'] });
    expect(report).toMatchObject({ kind: single ? 'delta' : 'snapshot', updated: single ? 1 : 2 });
    expect(source.count('fetchChanges')).toBe(0);
    // The delta brings it again: the same object, no change.
    const a = cache.get('a');
    expect(await cache.refresh()).toMatchObject(single ? { updated: 1, unchanged: 1 } : { updated: 0, unchanged: 0 });
    expect(calls.at(-1)!.since).toBe(single ? 3 : 5);
    expect(cache.get('a')).toBe(a);
    expect(cache.getMany([...'abc'])).toEqual(['new', 'new', 'c']);
    await cache.stop();
  });

  test('that waits together with a whole one is read after the delta', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.behave('hold');
    const running = cache.refresh();
    const waiting = [cache.refresh({ keys: ['a'] }), cache.refresh()];
    source.behave('answer');
    calls.at(-1)!.answer();
    await running;
    const [first, second] = await Promise.all(waiting);
    expect(first).toBe(second);
    const methodsUsed = calls.slice(2).map(({ method }) => method);
    expect(methodsUsed).toEqual(single ? ['fetchChanges', single] : ['fetchAll']);
    await cache.stop();
  });
});

test.each(FOLLOWING)(
  'an invalidation during a delta asks for single keys only where it can ($shape)',
  async ({ methods, single }) => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.behave('hold');
    const refreshed = cache.refresh();
    await cache.invalidate('a');
    source.behave('answer');
    calls.at(-1)!.answer();
    expect((await refreshed).error).toBeUndefined();
    await settle();
    expect(cache.get('a')).toBe('a');
    expect(cache.stats().sourceFailures).toBe(0);
    expect(calls.slice(2).map(({ method }) => method)).toEqual(single ? [single, single] : ['fetchAll']);
    await cache.stop();
  },
);
