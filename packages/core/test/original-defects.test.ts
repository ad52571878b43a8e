/**
 * The cache that this one grew out of had these defects. Each has a test here that states its absence, in the words of
 * what went wrong there.
 */
import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

interface Tool {
  readonly name: string;
  readonly config: { readonly url: string };
}

const tool = (name: string): Tool => ({ name, config: { url: 'http://example.com' } });

describe.each(WITH_SNAPSHOT)('refreshing, with $shape', ({ methods }) => {
  test('one failing refresh does not delete every key', async () => {
    const set = setUp<Tool[]>({
      methods,
      rows: [
        ['agent', [tool('search')]],
        ['other', [tool('mail')]],
      ],
    });
    await load(set);
    set.source.behave('fail');
    expect((await set.cache.refresh()).outcome).toBe('failed');
    expect([...set.cache.keys()]).toEqual(['agent', 'other']);
    await set.cache.stop();
  });

  test('an unchanged entry does not expire at its ttl although it was confirmed a minute ago, and costs no query', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', [tool('search')]]], ttl: '5m', refreshInterval: '1m' });
    await load(set);
    const tools = set.cache.get('agent');
    await set.clock.advance('30m');
    expect(await set.cache.fetch('agent')).toBe(tools);
    expect(set.source.count()).toBe(set.source.count('fetchAll'));
    await set.cache.stop();
  });

  test('a refresh that keeps failing is not tried again every fixed five seconds: the waits grow, and are jittered', async () => {
    const waits: number[] = [];
    for (const chance of [0.25, 0.75]) {
      const clock = new SteadyClock();
      clock.chance = chance;
      const set = setUp<Tool[]>({ methods, clock, ttl: '1h', refreshInterval: '30m' });
      await load(set);
      set.source.behave('refuse');
      await set.cache.refresh();
      for (let failure = 0; failure < 4; failure += 1) {
        waits.push(set.cache.status().nextRefreshInMs!);
        await clock.advance(Math.ceil(waits.at(-1)!));
      }
      await set.cache.stop();
    }
    expect(waits.slice(0, 4).map(Math.round)).toEqual([50, 100, 200, 400]);
    expect(waits.slice(4).map(Math.round)).toEqual([150, 300, 600, 1_200]);
  });

  test('an agent without tools is not asked for once per refresh: it is a row with an empty list', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', []]] });
    await load(set);
    for (let cycle = 1; cycle <= 3; cycle += 1) {
      await set.clock.advance('1m');
      expect(await set.cache.fetch('agent')).toEqual([]);
    }
    expect(set.source.count()).toBe(set.source.count('fetchAll'));
    await set.cache.stop();
  });

  test('a key that does not exist is not asked for once per refresh, but once in negativeTtl', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', []]], negativeTtl: '10m', ttl: '1h', refreshInterval: '1m' });
    await load(set);
    for (let cycle = 1; cycle <= 9; cycle += 1) {
      await set.clock.advance('1m');
      expect(await set.cache.fetch('missing')).toBeUndefined();
    }
    expect(set.source.count() - set.source.count('fetchAll')).toBeLessThanOrEqual(1);
    await set.cache.stop();
  });

  test('a start with the source down is not reported as a success', async () => {
    const set = setUp<Tool[]>({ methods });
    const errors: unknown[] = [];
    set.cache.on('error', ({ code }) => errors.push(code));
    set.source.behave('fail');
    await set.cache.start();
    expect(set.cache.status()).toMatchObject({ state: 'degraded', size: 0, lastRefresh: { outcome: 'failed' } });
    expect(errors).toEqual(['source-failed']);
    await set.cache.stop();
  });

  test('a snapshot that was read before does not delete an entry that was loaded meanwhile', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', []]] });
    await load(set);
    set.source.behave((_, method) => (method === 'fetchAll' && set.source.count() === 1 ? 'hold' : 'answer'));
    const refresh = set.cache.refresh();
    set.source.rows.set('new agent', [tool('search')]);
    const loaded = set.cache.fetch('new agent', { fresh: true });
    set.calls[1]!.answer();
    await refresh;
    expect(await loaded).toEqual([tool('search')]);
    expect(set.cache.get('new agent')).toEqual([tool('search')]);
    await set.cache.stop();
  });
});

describe.each(SHAPES)('reading, with $shape', ({ methods }) => {
  test('a failure is not remembered as a valid empty value: when the source is back, so are the tools', async () => {
    const { source, cache } = setUp<Tool[]>({ methods, rows: [['agent', [tool('search')]]] });
    source.behave('fail');
    await expect(cache.fetch('agent')).rejects.toMatchObject({ code: 'source-failed' });
    source.behave('answer');
    expect(await cache.fetch('agent')).toEqual([tool('search')]);
  });

  test('fifty concurrent misses are not fifty queries', async () => {
    const { source, cache } = setUp<Tool[]>({ methods, rows: [['agent', [tool('search')]]] });
    await Promise.all(Array.from({ length: 50 }, () => cache.fetch('agent')));
    expect(source.count()).toBe(1);
  });

  test('an expired entry is not an empty list while the source is down: it is served stale', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', [tool('search')]]] });
    await load(set);
    set.source.behave('fail');
    await set.clock.advance('1h');
    expect(await set.cache.fetch('agent')).toEqual([tool('search')]);
    await set.cache.stop();
  });

  test('a caller that changes what it was given does not change what others are given', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', [tool('search')]]] });
    await load(set);
    const tools = (await set.cache.fetch('agent')) as Tool[];
    expect(() => tools.pop()).toThrow(TypeError);
    expect(() => Object.assign(tools[0]!.config, { url: 'http://evil.example' })).toThrow(TypeError);
    expect(set.cache.get('agent')).toEqual([tool('search')]);
    await set.cache.stop();
  });

  test('an invalidation during a fetch is not overwritten by the older answer', async () => {
    const { source, cache, calls } = setUp<Tool[]>({ methods, rows: [['agent', [tool('old')]]] });
    source.behave('hold');
    const fetched = cache.fetch('agent');
    source.rows.set('agent', [tool('new')]);
    await cache.invalidate('agent');
    for (let index = 0; index < calls.length || index < 1; index += 1, await settle()) calls[index]!.answer();
    await fetched;
    source.behave('answer');
    expect(await cache.fetch('agent')).toEqual([tool('new')]);
  });

  test('what a client can make up does not make the cache grow for ever', async () => {
    const set = setUp<Tool[]>({ methods, negativeTtl: '10s' });
    for (let n = 0; n < 2_000; n += 1) await set.cache.fetch(`agent ${n}`).catch(() => undefined);
    expect(set.cache.stats().negatives).toBeLessThanOrEqual(1_000);
    await set.clock.advance('11s');
    expect(set.cache.stats()).toMatchObject({ negatives: 0, entries: 0 });
    await set.cache.stop();
  });

  test('expired entries do not stay for ever', async () => {
    const rows = Array.from({ length: 200 }, (_, n): [string, Tool[]] => [`agent ${n}`, []]);
    const set = setUp<Tool[]>({ methods, rows, ttl: '2m', staleIfError: '1m' });
    await load(set);
    set.source.behave('fail');
    await set.clock.advance(180_001);
    expect(set.cache.size).toBe(0);
    await set.cache.stop();
    expect(set.clock.pendingTimers).toBe(0);
  });

  test('a wall clock that is set back does not make an entry live longer', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', []]], ttl: '1m', staleIfError: 0, refreshTimeout: '1h' });
    await load(set);
    set.source.behave('hang');
    set.clock.jumpWall(-3_600_000);
    await set.clock.advance(60_001);
    expect(set.cache.get('agent')).toBeUndefined();
    await set.cache.stop();
  });

  test('nothing is served after stop', async () => {
    const set = setUp<Tool[]>({ methods, rows: [['agent', []]] });
    await load(set);
    await set.cache.stop();
    expect(set.cache.get('agent')).toBeUndefined();
    await expect(set.cache.fetch('agent')).rejects.toMatchObject({ code: 'stopped' });
  });
});
