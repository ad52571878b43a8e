import { describe, expect, test } from 'vitest';
import type { CacheChange } from '../src/events.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

interface Row {
  readonly n: number;
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const keys = (from: number, to: number): string[] => numbers(from, to).map((n) => `${n}`);
const rows = (from: number, to: number): (readonly [string, Row])[] => numbers(from, to).map((n) => [`${n}`, { n }]);

/** From now on the source lacks these rows, and has all others of the first `count`. */
function lack({ source }: SetUp<Row>, count: number, lacking: readonly string[]): void {
  for (const [key, row] of rows(0, count)) if (!source.rows.has(key)) source.rows.set(key, row);
  for (const key of lacking) source.rows.delete(key);
}

/** Loaded, with the guard as it is by default unless the test says otherwise. */
async function loaded(count: number, settings: Parameters<typeof setUp<Row>>[0] = {}): Promise<SetUp<Row>> {
  const set = setUp<Row>({ guard: {}, rows: rows(0, count), ...settings });
  await load(set);
  return set;
}

describe.each(WITH_SNAPSHOT)('with $shape, a snapshot', ({ methods }) => {
  test('that empties a table, however small, is held, and the second answer makes it true', async () => {
    for (const count of [1, 5, 40]) {
      const set = await loaded(count, { methods });
      const { source, cache } = set;
      const before = [...cache.entries()];
      const changes: CacheChange[] = [];
      cache.on('change', (change) => changes.push(change));
      source.rows.clear();
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: count, removed: 0, generation: 1 });
      for (const [key, row] of before) expect(cache.get(key)).toBe(row);
      expect([cache.size, changes]).toEqual([count, []]);
      const second = await cache.refresh();
      expect(second).toMatchObject({ outcome: 'published', removed: count, generation: 2 });
      expect(second).not.toHaveProperty('held');
      expect(cache.size).toBe(0);
      expect(changes).toEqual([{ generation: 2, added: [], updated: [], removed: keys(0, count) }]);
      await cache.stop();
    }
  });

  test('that lacks more than the share of enough rows is held; at the share, or of fewer rows, it is not', async () => {
    const cases = [
      [{}, 40, 20, false],
      [{}, 40, 21, true],
      [{}, 41, 20, false],
      [{}, 41, 21, true],
      [{}, 20, 11, true],
      [{}, 19, 18, false],
      [{}, 19, 19, true],
      [{ minRows: 5 }, 5, 3, true],
      [{ minRows: 5 }, 4, 3, false],
      [{ minRows: 100 }, 99, 98, false],
      [{ maxRemovedShare: 0.1 }, 40, 4, false],
      [{ maxRemovedShare: 0.1 }, 40, 5, true],
      [{ maxRemovedShare: 1 }, 40, 39, false],
      [{ maxRemovedShare: 1 }, 40, 40, true],
    ] as const;
    for (const [guard, count, lacking, held] of cases) {
      const set = await loaded(count, { methods, guard });
      lack(set, count, keys(0, lacking));
      const report = await set.cache.refresh();
      expect([count, lacking, report.outcome, report.removed]).toEqual(
        held ? [count, lacking, 'held', 0] : [count, lacking, 'published', lacking],
      );
      expect(set.cache.size).toBe(held ? count : count - lacking);
      await set.cache.stop();
    }
  });

  test('whose removals are held is live with all else that it says', async () => {
    const set = await loaded(40, { methods });
    const { source, cache } = set;
    lack(set, 40, keys(0, 30));
    source.rows.set('39', { n: -39 }).set('40', { n: 40 });
    const report = await cache.refresh();
    expect(report).toMatchObject({ outcome: 'held', held: 30, removed: 0, added: 1, updated: 1, generation: 2 });
    expect(report.sampleKeys).toEqual(['40', '39']);
    expect(cache.getMany(['0', '39', '40'])).toEqual([{ n: 0 }, { n: -39 }, { n: 40 }]);
    expect(cache.size).toBe(41);
    await cache.stop();
  });

  test('needs as many answers in a row as the guard says', async () => {
    for (const acceptAfter of [1, 2, 3, 5]) {
      const set = await loaded(40, { methods, guard: { acceptAfter } });
      set.source.rows.clear();
      for (let answer = 1; answer < acceptAfter; answer += 1) {
        expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', held: 40 });
        expect(set.cache.status().held).toMatchObject({ answers: answer, needed: acceptAfter });
      }
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 40 });
      await set.cache.stop();
    }
  });

  test('that replaces everything by other keys is held, as often as any other', async () => {
    for (const acceptAfter of [1, 2, 3]) {
      const set = await loaded(30, { methods, guard: { acceptAfter } });
      const { source, cache } = set;
      source.rows.clear();
      for (const [key, row] of rows(100, 130)) source.rows.set(key, row);
      for (let answer = 1; answer < acceptAfter; answer += 1) {
        expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 30, added: answer === 1 ? 30 : 0 });
        expect(cache.size).toBe(60);
      }
      expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 30 });
      expect([...cache.keys()]).toEqual(keys(100, 130));
      await cache.stop();
    }
  });

  test('that emptied a small table stays held while new rows come and no old one is back', async () => {
    const set = await loaded(3, { methods, guard: { acceptAfter: 3 } });
    const { source, cache } = set;
    source.rows.clear();
    await cache.refresh();
    source.rows.set('10', { n: 10 });
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 3, added: 1 });
    source.rows.set('11', { n: 11 });
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 3, added: 1 });
    expect([...cache.keys()]).toEqual(['10', '11']);
    await cache.stop();
  });

  test('that lacks other rows than the last one confirms nothing, however often', async () => {
    const set = await loaded(40, { methods });
    for (let answer = 0; answer < 6; answer += 1) {
      // One half of the rows today, the other half tomorrow; two are missing from both.
      lack(set, 40, answer % 2 === 0 ? keys(0, 21) : keys(19, 40));
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', held: 21, removed: 0 });
      expect(set.cache.status()).toMatchObject({ size: 40, held: { keys: 21, answers: answer + 1 } });
    }
    await set.cache.stop();
  });

  test('that lacks a few more rows, or has a few of them again, confirms the rest', async () => {
    const more = await loaded(40, { methods });
    lack(more, 40, keys(0, 30));
    await more.cache.refresh();
    lack(more, 40, keys(0, 33));
    // Three more of the ten that are left are no catastrophe.
    expect(await more.cache.refresh()).toMatchObject({ outcome: 'published', removed: 33 });
    expect([...more.cache.keys()]).toEqual(keys(33, 40));

    const fewer = await loaded(40, { methods });
    lack(fewer, 40, keys(0, 30));
    await fewer.cache.refresh();
    lack(fewer, 40, keys(3, 30));
    expect(await fewer.cache.refresh()).toMatchObject({ outcome: 'published', removed: 27 });
    expect(fewer.cache.size).toBe(13);
    for (const { cache } of [more, fewer]) await cache.stop();
  });

  test('that confirms some removals is judged again for the others, by what is left', async () => {
    for (const [next, report] of [
      [keys(0, 86), { outcome: 'published', removed: 26 }],
      [keys(0, 60), { outcome: 'unchanged', removed: 0 }],
    ] as const) {
      const set = await loaded(100, { methods });
      lack(set, 100, keys(0, 60));
      await set.cache.refresh();
      lack(set, 100, keys(0, 86));
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', removed: 60, held: 26 });
      expect([...set.cache.keys()].toSorted()).toEqual(keys(60, 100).toSorted());
      expect(set.cache.status().held).toMatchObject({ keys: 26, answers: 1 });
      lack(set, 100, next);
      expect(await set.cache.refresh()).toMatchObject(report);
      await set.cache.stop();
    }
  });

  test('that has the rows again ends it: the next catastrophe needs as many answers as the first', async () => {
    const set = await loaded(40, { methods });
    const { cache } = set;
    const [row] = cache.getMany(['0']);
    for (let turn = 0; turn < 3; turn += 1) {
      lack(set, 40, keys(0, 40));
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 40 });
      lack(set, 40, []);
      expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', unchanged: 40 });
      expect(cache.status()).not.toHaveProperty('held');
      expect(cache.inspect('0')).toMatchObject({ state: 'fresh', ageMs: 0 });
      expect(cache.get('0')).toBe(row);
    }
    // So few that it is no catastrophe any more: these are gone.
    lack(set, 40, keys(0, 30));
    await cache.refresh();
    lack(set, 40, keys(0, 5));
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 5 });
    await cache.stop();
  });

  test('that failed, or was torn, neither ends it nor counts as an answer', async () => {
    const set = await loaded(40, { methods });
    const { source, cache } = set;
    lack(set, 40, keys(0, 30));
    await cache.refresh();
    for (const failure of ['fail', 'half', 'refuse'] as const) {
      source.behave(failure);
      expect(await cache.refresh()).toMatchObject({ outcome: 'failed' });
      expect(cache.size).toBe(40);
      expect(cache.status()).toMatchObject({ state: 'degraded', held: { keys: 30, answers: 1 } });
    }
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 30 });
    expect(cache.status().state).toBe('live');
    await cache.stop();
  });

  test('whose rows are bad does not lack them', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) =>
          (value as Row).n < 0 ? { issues: [{ message: 'negative' }] } : { value: value as Row },
      },
    };
    for (const count of [2, 40]) {
      const set = await loaded(count, { methods, schema });
      for (const key of keys(0, count)) set.source.rows.set(key, { n: -1 });
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'unchanged', quarantined: count });
      expect(set.cache.size).toBe(count);
      set.source.rows.delete('0');
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 1, quarantined: count - 1 });
      await set.cache.stop();
    }
  });
});

describe.each(WITH_SNAPSHOT)('with $shape, not judged is', ({ methods }) => {
  test('the first load of a life', async () => {
    const { source, cache } = await loaded(0, { methods });
    for (const turn of [1, 2]) {
      for (const [key, row] of rows(0, 40)) source.rows.set(key, row);
      await cache.refresh();
      expect(cache.size).toBe(40);
      await cache.stop();
      source.rows.clear();
      await cache.start();
      expect(cache.reports().at(-1)).toMatchObject({ reason: 'start', outcome: 'unchanged' });
      expect([turn, cache.size, cache.status().state]).toEqual([turn, 0, 'live']);
    }
    await cache.stop();
  });

  test('the first load, though it lacks what was fetched before it', async () => {
    const set = setUp<Row>({ methods, guard: {}, rows: rows(0, 40) });
    const { source, cache } = set;
    if (source.fetchOne ?? source.fetchMany) await cache.fetchMany(keys(0, 40));
    source.rows.clear();
    await cache.start();
    expect([cache.size, cache.status().state]).toEqual([0, 'live']);
    await cache.stop();
  });

  test('what was invalidated', async () => {
    const set = await loaded(40, { methods });
    const { source, cache } = set;
    source.rows.clear();
    await cache.invalidate(keys(0, 40));
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged' });
    expect([cache.size, cache.status().state]).toEqual([0, 'live']);
    await cache.stop();
  });

  test('anything, after everything was invalidated: what was held is forgotten too', async () => {
    const set = await loaded(40, { methods });
    const { source, cache } = set;
    source.rows.clear();
    await cache.refresh();
    await cache.invalidateAll();
    expect([cache.size, cache.accept()]).toEqual([0, false]);
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', removed: 0 });
    expect([cache.size, cache.status().state]).toEqual([0, 'live']);
    await cache.stop();
  });
});

describe('a set of several parts', () => {
  const partOf = (source: { rows: ReadonlyMap<string, Row> }, seen: () => Iterable<string>) => {
    const nameOf = (key: string): string => (Number(key) < 5 ? 'few' : 'many');
    return Object.assign(source, {
      partOf: (key: string) => {
        const name = nameOf(key);
        return { name, size: [...seen()].filter((other) => nameOf(other) === name).length };
      },
    });
  };

  test.each(WITH_SNAPSHOT)(
    'is judged part by part: the emptied one is held, the others change ($shape)',
    async ({ methods }) => {
      const set = await loaded(100, { methods });
      partOf(set.source, () => set.cache.keys());
      lack(set, 100, [...keys(0, 5), ...keys(90, 100)]);
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', held: 5, removed: 10 });
      expect([set.cache.size, set.cache.has('0'), set.cache.has('95')]).toEqual([90, true, false]);
      lack(set, 100, [...keys(0, 5), ...keys(40, 60)]);
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 25, added: 10 });
      expect(set.cache.size).toBe(75);
    },
  );

  test.each(WITH_SNAPSHOT)(
    'may lose some of a part, and all of it where others of it come ($shape)',
    async ({ methods }) => {
      const set = await loaded(100, { methods });
      partOf(set.source, () => set.cache.keys());
      lack(set, 100, keys(0, 4));
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 4 });
      set.source.rows.delete('4');
      set.source.rows.set('1', { n: 1 });
      expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 1, added: 1 });
    },
  );
});
