import { describe, expect, test } from 'vitest';
import { type Source, TTLCacheService } from '../src/index.ts';
import { ScriptedSource, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, SteadyClock, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const codeOf = (failed: Promise<unknown>): Promise<string> =>
  failed.then(
    () => 'none',
    (error: { code: string }) => error.code,
  );

/** Waits that are asked for one by one: the n-th opening waits for chance · min(30 s, 200 ms · 2^n). */
const longestWait = (opening: number): number => Math.min(30_000, 200 * 2 ** opening);

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('opens after three failures in a row, not before; then nobody asks', async () => {
    const { source, cache, clock } = setUp({ methods });
    clock.chance = 0.5;
    source.behave('fail');
    for (const expected of ['closed', 'closed', 'open']) {
      expect(await codeOf(cache.fetch('a'))).toBe('source-failed');
      expect(cache.status().breaker).toBe(expected);
    }
    for (const failed of [cache.fetch('a'), cache.fetch('b', { fresh: true }), cache.fetchMany(['a', 'b'])]) {
      expect(await codeOf(failed)).toBe('breaker-open');
    }
    expect(await cache.warm(['a', 'b'])).toEqual({ requested: 2, loaded: 0, absent: 0, failed: 2 });
    expect(source.count()).toBe(3);
  });

  test('a success in between starts the count anew', async () => {
    const { source, cache } = setUp({ methods, negativeTtl: 0 });
    source.behave((call) => (call % 3 === 0 ? 'answer' : 'fail'));
    for (let call = 1; call <= 12; call += 1) {
      await codeOf(cache.fetch('a', { fresh: true }));
      expect(cache.status().breaker).toBe('closed');
    }
  });

  test.each(['refuse', 'bad rows'] as const)('%s do not count', async (fault) => {
    const schema = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'bad' }] }) },
    } as const;
    const { source, cache } = setUp<string>({ methods, rows: [['a', 'a']], ...(fault === 'bad rows' && { schema }) });
    if (fault === 'refuse') source.behave('refuse');
    for (let call = 1; call <= 10; call += 1) {
      expect(await codeOf(cache.fetch('a'))).toBe('source-failed');
      await cache.refresh();
      expect(cache.status().breaker).toBe('closed');
    }
  });

  test('a timeout counts as a failure', async () => {
    const { source, cache, clock } = setUp({ methods, timeout: '1s', refreshTimeout: '1s' });
    source.behave('hang');
    for (let call = 1; call <= 3; call += 1) {
      const failed = codeOf(cache.fetch('a'));
      await clock.advance('1s');
      expect(await failed).toBe('source-timeout');
    }
    expect(cache.status().breaker).not.toBe('closed');
  });

  test('one probe at a time finds out whether the source is back; a success closes', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: [['a', 'a']] });
    clock.chance = 0.5;
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a'));
    source.behave('hold');
    await clock.advance(99);
    expect(await codeOf(cache.fetch('a'))).toBe('breaker-open');
    await clock.advance(1);
    const probe = cache.fetch('a');
    await settle();
    expect(cache.status().breaker).toBe('half-open');
    if (methods[0] !== 'fetchAll') expect(await codeOf(cache.fetch('b'))).toBe('breaker-open');
    expect(source.count()).toBe(4);
    source.calls[3]!.answer();
    expect(await probe).toBe('a');
    expect(cache.status().breaker).toBe('closed');
  });

  test('each failed probe waits longer, up to thirty seconds', async () => {
    const { source, cache, clock } = setUp({ methods });
    clock.chance = 0.999;
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a'));
    for (let opening = 0; opening < 12; opening += 1) {
      const wait = longestWait(opening) * 0.999;
      await clock.advance(Math.floor(wait) - 1);
      expect(await codeOf(cache.fetch('a'))).toBe('breaker-open');
      await clock.advance(2);
      expect(await codeOf(cache.fetch('a'))).toBe('source-failed');
    }
    // After a success it starts small again.
    source.behave('answer');
    await clock.advance('30s');
    await cache.fetch('a', { fresh: true });
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a', { fresh: true }));
    await clock.advance(200);
    expect(await codeOf(cache.fetch('a', { fresh: true }))).toBe('source-failed');
  });

  test('a manual refresh may be the probe, without waiting, and it refreshes', async () => {
    const set = setUp<string>({ methods, rows: [...'abcdefghij'].map((key) => [key, 'old'] as const) });
    const { source, cache, clock } = set;
    clock.chance = 0.999;
    await load(set);
    await cache.warm(source.rows.keys());
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a', { fresh: true }));
    expect(cache.status().breaker).toBe('open');
    expect(await cache.refresh()).toMatchObject({ outcome: 'failed', error: { code: 'source-failed' } });
    expect(cache.status().breaker).toBe('open');
    source.behave('answer');
    for (const key of source.rows.keys()) source.rows.set(key, 'new');
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', updated: 10 });
    expect(cache.status().breaker).toBe('closed');
    expect(cache.get('j')).toBe('new');
    await cache.stop();
  });

  test('while one probe is under way, a manual refresh does not make a second', async () => {
    const { source, cache, clock } = setUp<string>({ methods });
    const other = new TTLCacheService<string>({ name: 'other', source, clock });
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a'));
    source.behave('hold');
    const probe = cache.refresh({ keys: ['a'] });
    await settle();
    expect(source.count()).toBe(4);
    expect(await other.refresh({ keys: ['a'] })).toMatchObject({ outcome: 'failed', error: { code: 'breaker-open' } });
    expect(source.count()).toBe(4);
    source.calls[3]!.fail();
    expect((await probe).outcome).toBe('failed');
  });
});

describe('calls that were under way together', () => {
  test.each(WITH_KEYS)('are one failure, however many fail ($shape)', async ({ methods }) => {
    const { source, cache, calls } = setUp({ methods });
    source.behave('hold');
    const failed = [...'abcdefgh'].map((key) => codeOf(cache.fetch(key)));
    for (const call of calls) call.fail();
    await Promise.all(failed);
    expect(cache.status().breaker).toBe('closed');
    source.behave('fail');
    await codeOf(cache.fetch('a'));
    expect(cache.status().breaker).toBe('closed');
    await codeOf(cache.fetch('a'));
    expect(cache.status().breaker).toBe('open');
  });

  test('and fail after it opened, neither keep it open longer nor take part in the probing', async () => {
    const { source, cache, clock, calls } = setUp<string>({ methods: ['fetchOne'], rows: [['a', 'a']] });
    clock.chance = 0.999;
    source.behave((call) => (call <= 2 ? 'hold' : 'fail'));
    const early = [codeOf(cache.fetch('early')), codeOf(cache.fetch('early too'))];
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a'));
    expect(cache.status().breaker).toBe('open');
    calls[0]!.fail();
    await early[0];
    source.behave('hold');
    await clock.advance(200);
    const probe = cache.fetch('a');
    calls[1]!.fail();
    await early[1];
    expect(cache.status().breaker).toBe('half-open');
    calls.at(-1)!.answer();
    expect(await probe).toBe('a');
  });

  test('and one of them succeeds, close it: the source is up', async () => {
    const { source, cache, calls } = setUp<string>({ methods: ['fetchOne'], rows: [['slow', 'slow']] });
    source.behave((call) => (call === 1 ? 'hold' : 'fail'));
    const slow = cache.fetch('slow');
    for (let call = 1; call <= 3; call += 1) await codeOf(cache.fetch('a'));
    expect(cache.status().breaker).toBe('open');
    calls[0]!.answer();
    expect(await slow).toBe('slow');
    expect(cache.status().breaker).toBe('closed');
  });

  test('and one of them has succeeded, do not count when the others fail', async () => {
    const { source, cache, calls } = setUp<string>({ methods: ['fetchOne'] });
    source.behave('hold');
    const [works, fails] = [cache.fetch('works'), codeOf(cache.fetch('fails'))];
    calls[0]!.answer();
    await works;
    calls[1]!.fail();
    expect(await fails).toBe('source-failed');
    source.behave('fail');
    for (const expected of ['closed', 'closed', 'open']) {
      await codeOf(cache.fetch('a'));
      expect(cache.status().breaker).toBe(expected);
    }
  });

  test('that are given up change nothing: neither a probe of others, nor a breaker that has closed', async () => {
    const clock = new SteadyClock();
    const source = new ScriptedSource<string>({ clock, methods: ['fetchOne'] });
    const [early, prober] = ['early', 'prober'].map((name) => new TTLCacheService<string>({ name, source, clock }));
    source.behave((call) => (call <= 2 ? 'hold' : 'fail'));
    const given = [codeOf(early!.fetch('a')), prober!.fetch('slow')];
    for (let call = 1; call <= 3; call += 1) await codeOf(prober!.fetch('b'));
    await clock.advance(200);
    source.behave('hold');
    const probe = codeOf(prober!.fetch('b'));
    await settle();
    await early!.stop();
    expect(await given[0]).toBe('stopped');
    expect(prober!.status().breaker).toBe('half-open');
    // Another success closes it; then the probe is given up.
    source.calls[1]!.answer();
    await given[1];
    expect(prober!.status().breaker).toBe('closed');
    await prober!.stop();
    expect(await probe).toBe('stopped');
    expect(prober!.status().breaker).toBe('closed');
  });

  test('a probe that the cache gives up by stopping lets another cache probe at once', async () => {
    const clock = new SteadyClock();
    const source = new ScriptedSource<string>({ clock, methods: ['fetchOne'] });
    const [first, second] = ['first', 'second'].map((name) => new TTLCacheService<string>({ name, source, clock }));
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(first!.fetch('a'));
    source.behave('hold');
    await clock.advance(200);
    const probe = codeOf(first!.fetch('a'));
    await settle();
    expect(second!.status().breaker).toBe('half-open');
    await first!.stop();
    expect(await probe).toBe('stopped');
    source.behave('answer');
    expect(await second!.fetch('a')).toBeUndefined();
    expect(second!.status().breaker).toBe('closed');
  });
});

describe('one breaker', () => {
  test.each([
    { shared: 'of the same source', share: (one: Source<string>): Source<string> => one },
    {
      shared: 'with the same breakerKey',
      share: (one: Source<string>): Source<string> => ({ fetchAll: one.fetchAll!, breakerKey: one.breakerKey }),
    },
  ])('serves all caches $shared; a success of one nudges the others', async ({ share }) => {
    const clock = new SteadyClock();
    clock.chance = 0.9;
    const scripted = new ScriptedSource<string>({ clock, methods: ['fetchAll'], rows: [['a', 'old']] });
    const source: Source<string> = Object.assign(scripted, { breakerKey: 'the database' });
    const caches = [source, share(source)].map(
      (source, index) => new TTLCacheService<string>({ name: `cache ${index}`, source, clock }),
    );
    for (const cache of caches) await cache.start();
    scripted.behave('fail');
    await clock.advance('10m');
    for (const cache of caches) expect(cache.status()).toMatchObject({ breaker: 'open', state: 'degraded' });
    scripted.rows.set('a', 'new');
    scripted.behave('answer');
    await caches[0]!.refresh();
    await settle();
    for (const cache of caches) {
      expect(cache.status()).toMatchObject({ breaker: 'closed', state: 'live' });
      expect(cache.get('a')).toBe('new');
      await cache.stop();
    }
  });

  test('is not shared by caches of different sources, nor by different clocks', async () => {
    const one = setUp({ methods: ['fetchOne'] });
    const others = [
      setUp({ methods: ['fetchOne'], clock: one.clock }).cache,
      new TTLCacheService({ name: 'test', source: one.source, clock: new SteadyClock() }),
    ];
    one.source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await codeOf(one.cache.fetch('a'));
    expect(one.cache.status().breaker).toBe('open');
    for (const other of others) expect(other.status().breaker).toBe('closed');
  });

  test('that a single fetch has closed sets off the refresh that was waiting', async () => {
    const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows: [['a', 'old']] });
    const { source, cache, clock } = set;
    clock.chance = 0.999;
    await load(set);
    source.behave('fail');
    await clock.advance(48_020);
    await codeOf(cache.fetch('b'));
    clock.chance = 0;
    await codeOf(cache.fetch('b'));
    expect(cache.status().breaker).toBe('open');
    expect(cache.status().nextRefreshInMs).toBeGreaterThan(0);
    source.behave('answer');
    source.rows.set('a', 'new');
    expect(await cache.fetch('b')).toBeUndefined();
    await settle();
    expect(cache.get('a')).toBe('new');
    expect(cache.status()).toMatchObject({ breaker: 'closed', state: 'live', lastRefresh: { reason: 'recovered' } });
    await cache.stop();
  });

  test.each(WITH_SNAPSHOT)('that a refresh has closed does not set off another one ($shape)', async ({ methods }) => {
    const set = setUp<string>({ methods, rows: [['a', 'old']] });
    const { source, cache, clock } = set;
    clock.chance = 0.5;
    await load(set);
    source.behave('fail');
    await clock.advance('3m');
    expect(cache.status().breaker).toBe('open');
    source.behave('answer');
    const before = source.count();
    await clock.advance('30s');
    expect(cache.status()).toMatchObject({ breaker: 'closed', state: 'live' });
    expect(source.count()).toBe(before + 1);
    await cache.stop();
  });
});
