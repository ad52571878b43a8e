import { describe, expect, test } from 'vitest';
import { CacheError, type CacheEventName, type StandardSchema } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, SHAPES, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const keys = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);
const rows = (count: number): (readonly [string, string])[] => keys(count).map((key) => [key, `row ${key}`]);
const EVENTS: readonly CacheEventName[] = ['refresh', 'change', 'error', 'held', 'quarantine', 'state'];
const FOLLOWING: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchChanges'];
const schema: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
  },
};

/** All that can be seen of a cache from outside. */
function seen({ cache }: SetUp<string>): unknown {
  const { sourceCalls, ...stats } = cache.stats();
  const all = [...cache.keys(), 'new', 'missing'];
  return {
    entries: [...cache.entries()],
    known: all.map((key) => cache.inspect(key)),
    status: cache.status(),
    stats,
    reports: cache.reports(),
  };
}

/** Does it, and sees to it that nothing has changed, and that nothing was told. */
async function expectNoTrace<R>(set: SetUp<string>, act: () => Promise<R>): Promise<R> {
  const before = seen(set);
  const told: string[] = [];
  const offs = EVENTS.map((name) => set.cache.on(name, () => told.push(name)));
  const result = await act();
  await settle();
  for (const off of offs) off();
  expect(seen(set)).toEqual(before);
  expect(told).toEqual([]);
  return result;
}

describe.each(SHAPES)('with $shape, a dry run', ({ methods }) => {
  test('of everything says what would change, and changes nothing', async () => {
    const set = setUp<string>({ methods, rows: rows(4), schema });
    const { source, cache, clock } = set;
    await load(set);
    await clock.advance('10s');
    source.rows.set('0', 'changed').set('1', 'bad').set('new', 'new');
    source.rows.delete('3');
    const whole = methods.includes('fetchAll');
    const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true }));
    expect(tried).toMatchObject({
      dryRun: true,
      outcome: 'published',
      kind: whole ? 'snapshot' : 'delta',
      generation: whole ? 1 : 0,
      added: whole ? 1 : 0,
      updated: 1,
      removed: 1,
      quarantined: 1,
      unchanged: 1,
    });
    expect(tried.sampleKeys.toSorted()).toEqual(whole ? ['0', '3', 'new'] : ['0', '3']);
    const { dryRun, generation, ...found } = tried;
    expect(await cache.refresh()).toEqual({ ...found, generation: generation + 1 });
    expect(await expectNoTrace(set, () => cache.refresh({ dryRun: true }))).toMatchObject({ outcome: 'unchanged' });
    await cache.stop();
  });

  test('of some keys says what would become of them', async () => {
    const set = setUp<string>({ methods, rows: rows(4), schema });
    const { source, cache } = set;
    await load(set);
    source.rows.set('0', 'changed').set('1', 'bad').set('new', 'new').set('2', 'other');
    source.rows.delete('3');
    const asked = ['0', '1', '3', 'new', 'missing'];
    const single = methods.some((method) => method !== 'fetchAll');
    const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true, keys: asked }));
    expect(tried).toMatchObject({ dryRun: true, added: 1, updated: single ? 1 : 2, removed: 1, quarantined: 1 });
    const { dryRun, generation, ...found } = tried;
    expect(await cache.refresh({ keys: asked })).toEqual({ ...found, generation: generation + 1 });
    await cache.stop();
  });

  test('that fails says so, counts for the breaker, and is no failed refresh', async () => {
    const set = setUp<string>({ methods, rows: rows(1) });
    const { source, cache } = set;
    await load(set);
    const next = cache.status().nextRefreshInMs;
    source.behave('fail');
    for (let failure = 1; failure <= 3; failure += 1) {
      expect(cache.status().breaker).toBe('closed');
      const tried = await cache.refresh({ dryRun: true });
      expect(tried).toMatchObject({ dryRun: true, outcome: 'failed', error: { code: 'source-failed' } });
    }
    expect(cache.status()).toMatchObject({ breaker: 'open', size: 1 });
    expect(cache.status().nextRefreshInMs).toBe(next);
    expect(cache.stats()).toMatchObject({ refreshFailures: 0, sourceFailures: 3 });
    expect(cache.reports()).toHaveLength(methods.includes('fetchAll') ? 1 : 0);
    expect(cache.status().lastRefresh).not.toMatchObject({ outcome: 'failed' });
    await cache.stop();
  });
});

describe('a dry run of a delta', () => {
  test('leaves the position where it is: the refresh after it reads the same changes', async () => {
    const set = setUp<string>({ methods: FOLLOWING, rows: rows(4) });
    const { source, cache, clock, calls } = set;
    await load(set);
    await clock.advance('10s');
    source.rows.set('0', 'changed').set('new', 'new');
    source.rows.delete('3');
    const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true }));
    expect(tried).toMatchObject({ dryRun: true, kind: 'delta', added: 1, updated: 1, removed: 1, generation: 1 });
    const { dryRun, ...found } = tried;
    expect(await cache.refresh()).toEqual({ ...found, generation: 2 });
    expect(calls.slice(1).map(({ since }) => since)).toEqual([4, 4]);
    await cache.stop();
  });

  test('that is refused with resync says what the snapshot would change, and goes on from where it was', async () => {
    const set = setUp<string>({ methods: FOLLOWING, rows: rows(4) });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('0', 'changed');
    source.behave('resync');
    const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true }));
    expect(tried).toMatchObject({ dryRun: true, kind: 'snapshot', reason: 'resync', updated: 1 });
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', updated: 1 });
    expect(calls.at(-1)!.since).toBe(4);
    await cache.stop();
  });

  test('confirms nothing, and reads no key again that was invalidated', async () => {
    const set = setUp<string>({ methods: FOLLOWING, rows: rows(4), ttl: '5m' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('refuse');
    await cache.invalidate('0');
    await settle();
    await clock.advance('6m');
    expect(cache.inspect('1').state).toBe('stale');
    source.behave('answer');
    const singles = source.count('fetchOne');
    await cache.refresh({ dryRun: true });
    expect(cache.inspect('1').state).toBe('stale');
    expect([cache.inspect('0').state, source.count('fetchOne')]).toEqual(['unknown', singles]);
    await cache.stop();
  });
});

describe.each([...WITH_SNAPSHOT, { shape: 'fetchAll, fetchOne and fetchChanges', methods: FOLLOWING }])(
  'with $shape, a dry run of a catastrophe',
  ({ methods }) => {
    test('says that its removals would be held, holds nothing, and is no answer that counts', async () => {
      const set = setUp<string>({ methods, rows: rows(40), guard: {} });
      const { source, cache } = set;
      await load(set);
      for (const key of keys(30)) source.rows.delete(key);
      source.rows.set('new', 'new');
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true }));
        expect(tried).toMatchObject({ dryRun: true, outcome: 'held', held: 30, removed: 0, added: 1 });
      }
      expect([cache.accept(), cache.status().state]).toEqual([false, 'live']);
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 30 });
      expect(cache.status().held).toMatchObject({ answers: 1 });
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const tried = await expectNoTrace(set, () => cache.refresh({ dryRun: true }));
        expect(tried).toMatchObject({ dryRun: true, outcome: 'published', removed: 30 });
      }
      for (const [key, row] of rows(30)) source.rows.set(key, row);
      expect(await expectNoTrace(set, () => cache.refresh({ dryRun: true }))).toMatchObject({ outcome: 'unchanged' });
      expect(cache.status().held).toMatchObject({ keys: 30, answers: 1 });
      await cache.stop();
    });
  },
);

describe.each(WITH_SNAPSHOT)('with $shape, a dry run', ({ methods }) => {
  test('beside a refresh that waits has a turn of its own, and those of one kind share theirs', async () => {
    for (const dryFirst of [true, false]) {
      const set = setUp<string>({ methods, rows: rows(4) });
      const { source, cache, calls } = set;
      await load(set);
      source.behave('hold');
      const running = cache.refresh();
      const [first, second, third, fourth] = [dryFirst, !dryFirst, dryFirst, !dryFirst].map((dryRun) =>
        cache.refresh({ dryRun }),
      );
      source.behave('answer');
      source.rows.set('0', 'changed');
      calls.at(-1)!.answer();
      await running;
      const [dry, real] = await Promise.all(dryFirst ? [first, second] : [second, first]);
      expect(await Promise.all(dryFirst ? [third, fourth] : [fourth, third])).toEqual([dry, real]);
      // In the order in which they were asked for.
      expect(dry).toMatchObject({ dryRun: true, updated: dryFirst ? 1 : 0 });
      expect(real).toMatchObject({ outcome: 'published', updated: 1 });
      expect(real).not.toHaveProperty('dryRun');
      expect([cache.get('0'), calls.length]).toEqual(['changed', 4]);
      await cache.stop();
    }
  });

  test('that is under way is waited for by a refresh, which then does its work', async () => {
    const set = setUp<string>({ methods, rows: rows(4), refreshInterval: '30s' });
    const { source, cache, clock, calls } = set;
    await load(set);
    source.behave('hold');
    const trying = cache.refresh({ dryRun: true });
    source.rows.set('0', 'changed');
    source.behave('answer');
    await clock.advance('30s');
    expect([cache.get('0'), calls.length]).toEqual(['row 0', 2]);
    calls.at(-1)!.answer();
    expect(await trying).toMatchObject({ dryRun: true, outcome: 'unchanged' });
    await settle();
    expect(cache.get('0')).toBe('changed');
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'interval' });
    expect(cache.status().nextRefreshInMs).toBeGreaterThan(20_000);
    await cache.stop();
  });
});

test('a fetch from a source with fetchAll only does not take a dry run for an answer', async () => {
  const set = setUp<string>({ methods: ['fetchAll'], rows: rows(2), negativeTtl: '10s' });
  const { source, cache, clock, calls } = set;
  await load(set);
  await clock.advance('11s');
  source.rows.set('new', 'new');
  source.behave('hold');
  const trying = cache.refresh({ dryRun: true });
  const fetched = cache.fetch('new');
  source.behave('answer');
  calls.at(-1)!.answer();
  expect(await trying).toMatchObject({ dryRun: true, added: 1 });
  expect(await fetched).toBe('new');
  await cache.stop();
});

test.each(WITH_KEYS)('a dry run counts no answer that came too late ($shape)', async ({ methods }) => {
  const set = setUp<string>({ methods, rows: rows(2) });
  const { source, cache, calls } = set;
  await load(set);
  source.behave('hold');
  const trying = cache.refresh({ dryRun: true, keys: ['0'] });
  await settle();
  source.rows.set('0', 'changed');
  source.behave('answer');
  await cache.fetch('0', { fresh: true });
  calls.at(-2)!.answer();
  expect(await trying).toMatchObject({ dryRun: true, outcome: 'unchanged', updated: 0 });
  expect(cache.get('0')).toBe('changed');
  await cache.stop();
});

test('a dry run that meets a wrong delta leaves the real one its position', async () => {
  const set = setUp<string>({ methods: FOLLOWING, rows: rows(2) });
  const { source, cache, calls } = set;
  await load(set);
  source.behave('hold');
  const trying = cache.refresh({ dryRun: true });
  await settle();
  calls.at(-1)!.fail(new CacheError({ code: 'invalid-snapshot', cache: 'test', message: 'wrong' }));
  expect(await trying).toMatchObject({ outcome: 'failed', error: { code: 'invalid-snapshot' } });
  source.behave('answer');
  expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', kind: 'delta' });
  await cache.stop();
});

describe('a dry run that is asked for while a refresh of some keys waits', () => {
  test('confirms nothing that is held, and the refresh reads its keys alone', async () => {
    const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows: rows(40), guard: {} });
    const { source, cache, calls } = set;
    await load(set);
    for (const key of keys(30)) source.rows.delete(key);
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 30 });
    source.behave('hold');
    const running = cache.refresh({ keys: ['35'] });
    await cache.invalidate('36');
    const trying = cache.refresh({ dryRun: true });
    source.behave('answer');
    calls.at(-1)!.answer();
    await running;
    expect(await trying).toMatchObject({ dryRun: true, outcome: 'published', removed: 30 });
    expect(cache.size).toBe(40);
    expect(cache.status().held).toMatchObject({ keys: 30, answers: 1 });
    expect(calls.slice(2).map(({ method }) => method)).toEqual(['fetchOne', 'fetchOne', 'fetchAll']);
    expect(calls.slice(2, 4).map(({ keys: [key] }) => key)).toEqual(['35', '36']);
    await cache.stop();
  });

  test('stores none of its own keys, whichever of the two was first', async () => {
    for (const dryFirst of [true, false]) {
      const set = setUp<string>({ methods: ['fetchMany'], rows: rows(3) });
      const { source, cache, calls } = set;
      await load(set);
      source.behave('hold');
      const running = cache.refresh({ keys: ['2'] });
      await settle();
      const waiting = [
        { dryRun: dryFirst, keys: [dryFirst ? '1' : '0'] },
        { dryRun: !dryFirst, keys: [dryFirst ? '0' : '1'] },
      ].map((options) => cache.refresh(options));
      for (const key of keys(3)) source.rows.set(key, 'changed');
      source.behave('answer');
      calls.at(-1)!.answer();
      await running;
      for (const report of await Promise.all(waiting)) expect(report).toMatchObject({ updated: 1 });
      expect(cache.getMany(['0', '1'])).toEqual(['changed', 'row 1']);
      await cache.stop();
    }
  });
});
