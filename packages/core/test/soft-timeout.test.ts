import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { type SetUp, SHAPES, setUp } from './support/set-up.ts';

expectNoUnhandledRejections();

/** A cache whose only entry is past its ttl; it was never started, so nothing refreshed it. */
async function aged(methods: (typeof SHAPES)[number]['methods'], softTimeout: number = 100): Promise<SetUp<string>> {
  const set = setUp<string>({ methods, rows: [['a', 'old']], timeout: '10s', refreshTimeout: '10s', softTimeout });
  await set.cache.fetch('a');
  await set.clock.advance('6m');
  set.source.rows.set('a', 'new');
  return set;
}

/** Is it settled without time passing? */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await settle();
  return settled;
}

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('a stale value is served after softTimeout, not before, and the answer is stored when it comes', async () => {
    const { source, cache, clock, calls } = await aged(methods);
    source.behave('hold');
    const fetched = cache.fetch('a');
    const many = cache.fetchMany(['a']);
    await clock.advance(99);
    expect(await isSettled(fetched)).toBe(false);
    await clock.advance(1);
    expect(await fetched).toBe('old');
    expect((await many).get('a')).toBe('old');
    calls.at(-1)!.answer();
    await settle();
    expect(cache.get('a')).toBe('new');
  });

  test('a quick answer is waited for', async () => {
    const { source, cache, clock } = await aged(methods);
    source.behave({ slowMs: 99 });
    const fetched = cache.fetch('a');
    await clock.advance(99);
    expect(await fetched).toBe('new');
  });

  test('is measured from the start of the flight: once it is known to be slow, nobody waits', async () => {
    const { source, cache, clock } = await aged(methods);
    source.behave('hang');
    const first = cache.fetch('a');
    await clock.advance(60);
    const second = cache.fetch('a');
    await clock.advance(40);
    expect(await isSettled(first)).toBe(true);
    expect(await isSettled(second)).toBe(true);
    const third = cache.fetch('a');
    expect(await isSettled(third)).toBe(true);
    expect(await third).toBe('old');
    expect(source.count()).toBe(2);
  });

  test('a softTimeout of 0 never waits while there is a stale value', async () => {
    const { source, cache, calls } = await aged(methods, 0);
    source.behave('hold');
    expect(await cache.fetch('a')).toBe('old');
    calls.at(-1)!.answer();
    await settle();
    expect(await cache.fetch('a')).toBe('new');
  });

  test('does not shorten the wait where there is no stale value, nor that of a fresh fetch', async () => {
    const { source, cache, clock } = await aged(methods);
    source.behave({ slowMs: 5_000 });
    const cold = cache.fetch('b');
    const fresh = cache.fetch('a', { fresh: true });
    await clock.advance('4s');
    expect(await isSettled(Promise.race([cold, fresh]))).toBe(false);
    await clock.advance('6s');
    expect(await cold).toBeUndefined();
    expect(await fresh).toBe('new');
  });

  test('a stale value that is invalidated while it is waited for is not served: the wait goes on', async () => {
    const { source, cache, clock, calls } = await aged(methods);
    source.behave('hold');
    const fetched = cache.fetch('a');
    await cache.invalidate('a');
    await clock.advance('5s');
    expect(await isSettled(fetched)).toBe(false);
    for (let index = 0; index < calls.length; index += 1, await settle()) calls[index]!.answer();
    expect(await fetched).toBe('new');
  });

  test("the caller's timeout ends the wait: with the stale value, or with source-timeout", async () => {
    const { source, cache, clock } = await aged(methods);
    source.behave('hang');
    const withStale = cache.fetch('a', { timeout: 30 });
    const cold = cache.fetch('b', { timeout: '30ms' }).catch((error: unknown) => error);
    const fresh = cache.fetch('a', { timeout: 30, fresh: true }).catch((error: unknown) => error);
    await clock.advance(29);
    expect(await isSettled(Promise.race([withStale, cold, fresh]))).toBe(false);
    await clock.advance(1);
    expect(await withStale).toBe('old');
    expect(await cold).toMatchObject({ code: 'source-timeout', key: 'b' });
    expect(await fresh).toMatchObject({ code: 'source-timeout', key: 'a' });
  });

  test("the caller's timeout holds beyond the soft one", async () => {
    const { source, cache, clock } = await aged(methods);
    source.behave('hang');
    const fetched = cache.fetch('a', { timeout: 300 }).catch((error: unknown) => error);
    await cache.invalidate('a');
    await clock.advance(299);
    expect(await isSettled(fetched)).toBe(false);
    await clock.advance(1);
    expect(await fetched).toMatchObject({ code: 'source-timeout' });
  });

  test("the caller's signal ends its wait and nobody else's, with or without a stale value", async () => {
    for (const key of ['a', 'b']) {
      const { source, cache, calls } = await aged(methods);
      source.behave('hold');
      const controller = new AbortController();
      const gaveUp = cache.fetch(key, { signal: controller.signal }).catch((error: unknown) => error);
      const patient = cache.fetch(key);
      await settle();
      controller.abort(new Error('the client went away'));
      expect(await gaveUp).toMatchObject({ code: 'aborted', key, cause: { message: 'the client went away' } });
      expect(calls.at(-1)!.context.signal.aborted).toBe(false);
      calls.at(-1)!.answer();
      expect(await patient).toBe(key === 'a' ? 'new' : undefined);
    }
  });

  test('a signal that was aborted before asks the source for nothing; what is fresh is given all the same', async () => {
    const { source, cache } = await aged(methods);
    const signal = AbortSignal.abort();
    const asked = source.count();
    await expect(cache.fetch('b', { signal })).rejects.toMatchObject({ code: 'aborted' });
    await expect(cache.fetch('a', { signal, fresh: true })).rejects.toMatchObject({ code: 'aborted' });
    await expect(cache.fetchMany(['b', 'c'], { signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(source.count()).toBe(asked);
    await cache.fetch('a', { fresh: true });
    expect(await cache.fetch('a', { signal })).toBe('new');
    expect([...(await cache.fetchMany(['a'], { signal }))]).toEqual([['a', 'new']]);
  });

  test('a signal that is aborted by the call itself ends the wait as well', async () => {
    for (const key of ['b', 'a']) {
      const { source, cache } = await aged(methods);
      source.behave('hold');
      const controller = new AbortController();
      const calls = source.calls.push.bind(source.calls);
      source.calls.push = (call) => {
        controller.abort();
        return calls(call);
      };
      const gaveUp = cache.fetch(key, { signal: controller.signal });
      await expect(gaveUp).rejects.toMatchObject({ code: 'aborted' });
    }
  });

  test('leaves neither a timer nor a listener on the signal behind', async () => {
    const { source, cache, clock, calls } = await aged(methods);
    source.behave('hold');
    const controller = new AbortController();
    const listening = new Set<unknown>();
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (type: string, listener: never, options: never) => {
      listening.add(listener);
      add(type, listener, options);
    };
    signal.removeEventListener = (type: string, listener: never) => {
      listening.delete(listener);
      remove(type, listener);
    };
    const fetched = cache.fetch('b', { signal, timeout: '1s' });
    expect(listening.size).toBe(1);
    calls.at(-1)!.answer();
    await fetched;
    expect(listening.size).toBe(0);
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a wrong timeout is a TypeError', async () => {
    const { cache } = setUp({ methods });
    for (const timeout of [-1, Number.NaN, 'soon', '5 s', null]) {
      await expect(cache.fetch('a', { timeout: timeout as never })).rejects.toThrow(TypeError);
      await expect(cache.fetchMany(['a'], { timeout: timeout as never })).rejects.toThrow(TypeError);
    }
  });
});
