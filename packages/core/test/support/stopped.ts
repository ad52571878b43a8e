/** What has to be true of a cache that was stopped. */
import { expect } from 'vitest';
import { breakerOf } from '../../src/breaker.ts';
import { settle } from '../../testing/index.ts';
import type { SetUp } from './set-up.ts';

/** Counts who listens to the breaker of the source. */
export function listening({ source, clock }: SetUp<string>): () => number {
  const breaker = breakerOf(source, clock);
  const subscribe = breaker.subscribe.bind(breaker);
  let listeners = 0;
  breaker.subscribe = (listener) => {
    listeners += 1;
    const end = subscribe(listener);
    return () => {
      listeners -= 1;
      end();
    };
  };
  return () => listeners;
}

/** It serves nothing, asks nothing and leaves nothing behind. */
export async function expectStopped({ cache, clock, source }: SetUp<string>, listeners: () => number): Promise<void> {
  await settle();
  expect(cache.status().state).toBe('stopped');
  expect([cache.get('a'), cache.getMany(['a']), cache.size, cache.has('a')]).toEqual([
    undefined,
    [undefined],
    0,
    false,
  ]);
  expect(cache.inspect('a').state).toBe('unknown');
  const asked = source.count();
  await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'stopped', cache: 'test', key: 'a' });
  await expect(cache.fetch('a', { fresh: true })).rejects.toMatchObject({ code: 'stopped' });
  await expect(cache.fetchMany(['a'])).rejects.toMatchObject({ code: 'stopped' });
  expect(await cache.warm(['a', 'b'])).toEqual({ requested: 2, loaded: 0, absent: 0, failed: 2 });
  expect(await cache.refresh()).toMatchObject({ outcome: source.fetchAll ? 'stopped' : 'unchanged' });
  expect(await cache.refresh({ keys: ['a'] })).toMatchObject({ outcome: 'stopped' });
  await cache.invalidate('a');
  await cache.invalidateAll();
  await settle();
  expect(source.count()).toBe(asked);
  expect(clock.pendingTimers).toBe(0);
  expect(listeners()).toBe(0);
}
