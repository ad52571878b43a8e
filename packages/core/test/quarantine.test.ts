import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type StandardSchema, TTLCacheService } from '../src/index.ts';
import { ScriptedSource, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, SHAPES, SteadyClock, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

interface Row {
  readonly n: number;
}

const good = (n: number): Row => ({ n });
const bad = { n: 'not a number' } as unknown as Row;

const zodSchema = z.object({ n: z.number() });
const asyncSchema = z.object({ n: z.number() }).refine(async () => true);
const standard = (validate: StandardSchema<Row>['~standard']['validate']): StandardSchema<Row> => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

const SCHEMAS: readonly { readonly name: string; readonly schema: StandardSchema<Row>; readonly says: RegExp }[] = [
  { name: 'zod', schema: zodSchema, says: /^n: Invalid input: expected number, received string$/ },
  { name: 'asynchronous zod', schema: asyncSchema, says: /^n: Invalid input/ },
  {
    name: 'a throwing',
    schema: standard((value) => {
      if (value === bad) throw new Error('secret');
      return { value: value as Row };
    }),
    says: /^the schema threw$/,
  },
  {
    name: 'a rejecting',
    schema: standard(async (value) => {
      if (value === bad) throw new Error('secret');
      return { value: value as Row };
    }),
    says: /^the schema threw$/,
  },
  {
    name: 'an undefined-giving',
    schema: standard((value) => ({ value: value === bad ? (undefined as never) : (value as Row) })),
    says: /^the schema gave undefined, which means absent$/,
  },
];

for (const { name, schema, says } of SCHEMAS) {
  describe.each(SHAPES)(`with ${name} schema and $shape`, ({ methods }) => {
    test('a bad row keeps its last good value, is listed, and all other rows go live', async () => {
      const rows = [...'abcd'].map((key) => [key, good(1)] as const);
      const set = setUp<Row>({ methods, schema, rows, ttl: '5m', staleIfError: '5m', refreshInterval: '1m' });
      const { source, cache, clock } = set;
      const announced: unknown[] = [];
      cache.on('quarantine', (row) => announced.push(row.key));
      await load(set);
      const lastGood = cache.get('a');
      source.rows.set('a', bad);
      for (const key of 'bcd') source.rows.set(key, good(2));
      await clock.advance('30s');
      expect(await cache.refresh()).toMatchObject({ outcome: 'published', updated: 3, quarantined: 1 });
      expect(cache.get('a')).toBe(lastGood);
      expect(cache.get('d')).toEqual(good(2));
      expect(cache.stats()).toMatchObject({ entries: 4, quarantined: 1 });
      const [listed] = cache.status().quarantine;
      expect(listed).toMatchObject({ key: 'a', ageMs: 30_000 });
      expect(listed!.message).toMatch(says);
      expect(cache.inspect('a')).toMatchObject({ state: 'fresh', value: lastGood, ageMs: 30_000 });
      expect(cache.inspect('a').quarantined).toMatch(says);
      expect(cache.inspect('b').quarantined).toBeUndefined();
      expect(announced).toEqual(['a']);
      expect(cache.status()).toMatchObject({ state: 'live', breaker: 'closed' });

      // It ages: nobody vouches for it. It does not count as a change.
      await clock.advance(270_000);
      expect(cache.inspect('a')).toMatchObject({ state: 'fresh', ageMs: 300_000 });
      await clock.advance(1);
      expect(cache.inspect('a')).toMatchObject({ state: 'stale', value: lastGood });
      expect(await cache.fetch('a')).toBe(lastGood);
      await clock.advance(300_000);
      expect(cache.get('a')).toBeUndefined();
      expect(cache.inspect('b').state).toBe('fresh');
      await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed', key: 'a' });
      expect(cache.status().quarantine).toMatchObject([{ key: 'a', ageMs: undefined }]);

      source.rows.set('a', good(3));
      if (source.fetchAll === undefined) await cache.fetch('a');
      else await cache.refresh();
      expect(cache.get('a')).toEqual(good(3));
      expect(cache.status().quarantine).toEqual([]);
      expect(cache.stats().quarantined).toBe(0);
      await cache.stop();
    });

    test('a bad row without a last good value is never absent: fetch throws source-failed', async () => {
      const set = setUp<Row>({
        methods,
        schema,
        rows: [
          ['a', bad],
          ['b', good(1)],
        ],
      });
      const { cache } = set;
      await load(set);
      expect(cache.get('a')).toBeUndefined();
      expect(cache.inspect('a').state).toBe('unknown');
      expect(cache.inspect('a').quarantined).toMatch(says);
      for (let call = 1; call <= 4; call += 1) {
        const error = await cache.fetch('a').catch((error: unknown) => error);
        expect(error).toMatchObject({ code: 'source-failed', key: 'a', cache: 'test' });
        expect((error as Error).message).not.toContain('secret');
      }
      const many = await cache.fetchMany(['a', 'b']).catch((error: unknown) => error);
      expect(many).toMatchObject({ code: 'source-failed', partial: new Map([['b', good(1)]]) });
      expect(await cache.warm(['a', 'b'])).toEqual({ requested: 2, loaded: 1, absent: 0, failed: 1 });
      expect(cache.status().breaker).toBe('closed');
      expect(cache.stats()).toMatchObject({ entries: 1, negatives: 0, quarantined: 1, sourceFailures: 0 });
      await cache.stop();
    });

    test('a bad row that is fetched alone leaves its last good value, which a fresh fetch is not given', async () => {
      const set = setUp<Row>({ methods, schema, rows: [['a', good(1)]] });
      const { source, cache } = set;
      await load(set);
      const lastGood = cache.get('a');
      source.rows.set('a', bad);
      await expect(cache.fetch('a', { fresh: true })).rejects.toMatchObject({ code: 'source-failed' });
      expect(cache.get('a')).toBe(lastGood);
      expect(await cache.fetch('a')).toBe(lastGood);
      source.rows.set('a', good(2));
      expect(await cache.fetch('a', { fresh: true })).toEqual(good(2));
      expect(cache.stats().quarantined).toBe(0);
      await cache.stop();
    });

    test('a bad row that disappears, or is invalidated, is quarantined no more', async () => {
      for (const end of ['delete', 'invalidate', 'invalidateAll'] as const) {
        const set = setUp<Row>({ methods, schema, rows: [['a', good(1)]] });
        const { source, cache } = set;
        await load(set);
        source.rows.set('a', bad);
        await cache.refresh();
        expect(cache.stats().quarantined).toBe(1);
        source.behave(end === 'delete' ? 'answer' : 'hang');
        source.rows.delete('a');
        if (end === 'delete') await cache.refresh();
        else if (end === 'invalidate') await cache.invalidate('a');
        else await cache.invalidateAll();
        expect(cache.stats()).toMatchObject({ quarantined: 0, entries: 0 });
        expect(cache.get('a')).toBeUndefined();
        await cache.stop();
      }
    });
  });
}

test.each(SHAPES)(
  'what the schema makes of a row is what is held, frozen, and its object stays ($shape)',
  async ({ methods }) => {
    const schema = z.object({ n: z.number().default(7) }).transform(({ n }) => ({ doubled: [2 * n] }));
    const clock = new SteadyClock();
    const source = new ScriptedSource<unknown>({
      clock,
      methods,
      rows: [
        ['a', { n: 1, extra: true }],
        ['b', {}],
      ],
    });
    const cache = new TTLCacheService({ name: 'test', source, schema, clock });
    expect(await cache.fetch('a')).toEqual({ doubled: [2] });
    const a = cache.get('a');
    expect(Object.isFrozen(a!.doubled)).toBe(true);
    expect((await cache.fetchMany(['b'])).get('b')).toEqual({ doubled: [14] });
    await cache.refresh();
    expect(cache.get('a')).toBe(a);
    source.rows.set('a', { n: 1 });
    await cache.refresh();
    expect(cache.get('a')).toBe(a);
  },
);

test('a row object that is handed over again is checked once if it was good, and again if it was bad', async () => {
  let checks = 0;
  let works = true;
  const schema = standard(async (value) => {
    checks += 1;
    if (!works) throw new Error('the table of allowed values is locked');
    return { value: value as Row };
  });
  const set = setUp<Row>({ schema, rows: [['a', good(1)]], methods: ['fetchAll'] });
  await load(set);
  await set.cache.refresh();
  expect(checks).toBe(1);
  set.source.rows.set('a', good(2));
  works = false;
  await set.cache.refresh();
  expect(set.cache.stats().quarantined).toBe(1);
  works = true;
  await set.cache.refresh();
  expect(set.cache.get('a')).toEqual(good(2));
  expect(checks).toBe(3);
  await set.cache.stop();
});

test.each(WITH_SNAPSHOT)(
  'a row that stays bad is announced once, and again if it is bad in another way ($shape)',
  async ({ methods }) => {
    const set = setUp<Row>({ methods, schema: zodSchema, rows: [['a', good(1)]] });
    const announced: string[] = [];
    set.cache.on('quarantine', ({ message }) => announced.push(message));
    await load(set);
    for (const row of [bad, bad, { n: null } as never, bad]) {
      set.source.rows.set('a', row);
      await set.cache.refresh();
    }
    expect(announced.map((message) => message.split(' ').at(-1))).toEqual(['string', 'null', 'string']);
    await set.cache.stop();
  },
);

test('a long problem is cut short, and at most a hundred rows are listed', async () => {
  const schema = standard(() => ({ issues: [{ message: 'x'.repeat(10_000), path: ['a', { key: 0 }, Symbol('s')] }] }));
  const rows = Array.from({ length: 150 }, (_, index) => [`key ${index}`, good(1)] as const);
  const set = setUp<Row>({ schema, rows });
  await load(set);
  expect(set.cache.stats().quarantined).toBe(150);
  const listed = set.cache.status().quarantine;
  expect(listed).toHaveLength(100);
  expect(listed[0]!.message).toHaveLength(300);
  expect(listed[0]!.message).toMatch(/^a\.0\.Symbol\(s\): xxx/);
  await set.cache.stop();
});

test.each(ON_DEMAND)('the list is bounded like the entries are ($shape)', async ({ methods }) => {
  const { cache } = setUp<Row>({
    methods,
    schema: zodSchema,
    maxEntries: 10,
    rows: Array.from({ length: 50 }, (_, index) => [`${index}`, bad]),
  });
  for (let key = 0; key < 50; key += 1) await cache.fetch(`${key}`).catch(() => undefined);
  expect(cache.stats().quarantined).toBe(10);
  expect(cache.status().quarantine.map(({ key }) => key)).toEqual(
    Array.from({ length: 10 }, (_, index) => `${40 + index}`),
  );
});

test.each(ON_DEMAND)('the last good value of a row that is forgotten goes with it ($shape)', async ({ methods }) => {
  const rows = [
    ['a', good(1)],
    ['b', bad],
  ] as const;
  const { source, cache } = setUp<Row>({ methods, schema: zodSchema, maxEntries: 1, rows });
  await cache.fetch('a');
  source.rows.set('a', bad);
  await cache.refresh({ keys: ['a'] });
  expect(cache.get('a')).toEqual(good(1));
  await cache.fetch('b').catch(() => undefined);
  expect([cache.inspect('a').state, cache.status().quarantine.map(({ key }) => key)]).toEqual(['unknown', ['b']]);
});

test.each(WITH_KEYS)('a bad row in an answer that comes too late changes nothing ($shape)', async ({ methods }) => {
  const set = setUp<Row>({ methods, schema: zodSchema, rows: [['a', bad]] });
  const { source, cache, calls } = set;
  source.behave('hold');
  const older = cache.fetch('a').catch((error: unknown) => error);
  await cache.invalidate('a');
  source.rows.set('a', good(2));
  source.behave('answer');
  expect(await cache.fetch('a')).toEqual(good(2));
  calls[0]!.answer();
  expect(await older).toMatchObject({ code: 'source-failed' });
  await settle();
  expect(cache.get('a')).toEqual(good(2));
  expect(cache.stats().quarantined).toBe(0);
});

test('a single answer that is later than a snapshot decides whether the row is bad', async () => {
  for (const [inSnapshot, alone] of [
    [bad, good(2)],
    [good(2), bad],
  ] as const) {
    const set = setUp<Row>({ methods: ['fetchAll', 'fetchOne'], schema: zodSchema, rows: [['a', good(1)]] });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('a', inSnapshot);
    source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
    const refresh = cache.refresh();
    await settle();
    source.rows.set('a', alone);
    await cache.fetch('a', { fresh: true }).catch(() => undefined);
    calls[1]!.answer();
    await refresh;
    expect(cache.get('a')).toEqual(alone === bad ? good(1) : alone);
    expect(cache.stats().quarantined).toBe(alone === bad ? 1 : 0);
    await cache.stop();
  }
});
