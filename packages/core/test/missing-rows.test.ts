import { expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { setUp, WITH_KEYS } from './support/set-up.ts';

const WITH_BOTH = WITH_KEYS.filter(({ methods }) => methods.includes('fetchAll'));

test.each(WITH_BOTH)(
  'a row that is missing is noticed though one came and one went while the snapshot was read ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, rows: [...'abx'].map((key) => [key, key]), guard: { minRows: 1 } });
    const { source, cache, calls } = set;
    await cache.start();
    source.rows.delete('x');
    source.rows.set('c', 'c');
    source.behave('pause');
    const refreshed = cache.refresh();
    await settle();
    // Half of a, b, c was read: a and b. Now c comes and b goes.
    const snapshot = calls.at(-1)!;
    source.behave('answer');
    await cache.fetch('c');
    source.rows.delete('b');
    expect(await cache.fetch('b', { fresh: true })).toBeUndefined();
    snapshot.answer();
    expect(await refreshed).toMatchObject({ removed: 1 });
    expect([...cache.keys()].sort()).toEqual(['a', 'c']);
    await cache.stop();
  },
);
