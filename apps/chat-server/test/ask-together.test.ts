import type { PostgresSource } from '@evercache/postgres';
import { TTLCacheService } from 'evercache';
import { settle, VirtualClock } from 'evercache/testing';
import { describe, expect, test } from 'vitest';
import { askTogether } from '../src/ask-together.ts';

interface Statement {
  readonly keys: readonly string[];
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: Error): void;
}

/** A source of which each statement ends when the test says so, or its deadline does. */
function setUp(): { source: PostgresSource<string>; statements: Statement[] } {
  const statements: Statement[] = [];
  const source: PostgresSource<string> = {
    fetchAll: async () => (async function* () {})(),
    fetchOne: async () => undefined,
    fetchMany: (keys, { signal }) =>
      new Promise((resolve, reject) => {
        const rows = keys.filter((key) => !key.startsWith('made up'));
        const answer = (): void => resolve(new Map(rows.map((key) => [key, `row ${key}`])));
        statements.push({ keys, signal, answer, fail: reject });
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    breakerKey: 'the client',
    status: () => ({ tier: 'snapshot' }),
  };
  return { source, statements };
}

function cacheOver(source: PostgresSource<string>): { cache: TTLCacheService<string>; clock: VirtualClock } {
  const clock = new VirtualClock();
  const maxAbsentPerSecond = Number.POSITIVE_INFINITY;
  const cache = new TTLCacheService<string>({
    name: 'keys',
    source: askTogether(source),
    clock,
    maxAbsentPerSecond,
    timeout: '10s',
  });
  return { cache, clock };
}

describe('keys that are asked for at a time', () => {
  test('share a statement: one is under way, up to a thousand keys wait for the next one', async () => {
    const { source, statements } = setUp();
    const { cache } = cacheOver(source);
    const made = Array.from({ length: 2_400 }, (_, n) => cache.fetch(`made up ${n}`));
    const real = cache.fetch('real');
    for (let ended = 0; ended < 3; ended += 1) {
      await settle();
      expect(statements.length).toBe(ended + 1);
      statements[ended]!.answer();
    }
    expect(await real).toBe('row real');
    expect(new Set(await Promise.all(made))).toEqual(new Set([undefined]));
    expect(statements.map(({ keys }) => keys.length)).toEqual([1_000, 1_000, 401]);
    expect(cache.stats().rateLimited).toBe(0);
  });

  test('also when one is asked for because of an answer: no statement leaves without it', async () => {
    const { source, statements } = setUp();
    const { cache } = cacheOver(source);
    const conversation = async (name: string): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) await cache.fetch(`${name}${turn}`);
    };
    const early = conversation('early');
    await settle();
    const late = conversation('late');
    for (let ended = 0; ended < 4; ended += 1) {
      statements[ended]!.answer();
      await settle();
    }
    await Promise.all([early, late]);
    expect(statements.map(({ keys }) => keys)).toEqual([
      ['early0'],
      ['late0', 'early1'],
      ['late1', 'early2'],
      ['late2'],
    ]);
  });

  test('fail together, and those who come after them are asked for all the same', async () => {
    const { source, statements } = setUp();
    const { cache } = cacheOver(source);
    const ask = (key: string) => cache.fetch(key).catch(({ code }: { code: string }) => code);
    const first = ask('a');
    await settle();
    const codes = [first, ask('b'), ask('c')];
    statements[0]!.answer();
    await settle();
    const later = cache.fetch('d');
    statements[1]!.fail(new Error('connection reset'));
    await settle();
    statements[2]!.answer();
    expect(await Promise.all(codes)).toEqual(['row a', 'source-failed', 'source-failed']);
    expect(await later).toBe('row d');
    expect(statements.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c'], ['d']]);
  });

  test('are not held up for ever by a statement that hangs: it ends at the deadline of its oldest key', async () => {
    const { source, statements } = setUp();
    const { cache, clock } = cacheOver(source);
    const first = cache.fetch('a').catch(({ code }: { code: string }) => code);
    await clock.advance('5s');
    const second = cache.fetch('b');
    await clock.advance('5s');
    expect([await first, statements[0]!.signal.aborted]).toEqual(['source-timeout', true]);
    expect(statements.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
    statements[1]!.answer();
    expect(await second).toBe('row b');
  });

  test('are given up when the cache stops, and it works again after a start', async () => {
    const { source, statements } = setUp();
    const { cache, clock } = cacheOver(source);
    const codes = ['a', 'b'].map((key) => cache.fetch(key).catch(({ code }: { code: string }) => code));
    await cache.stop();
    expect(await Promise.all(codes)).toEqual(['stopped', 'stopped']);
    await cache.start();
    const later = cache.fetch('b');
    await settle();
    statements.at(-1)!.answer();
    expect(await later).toBe('row b');
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

test('what is asked for together anyway goes through as it is', async () => {
  const { source, statements } = setUp();
  const together = askTogether(source);
  expect([together.breakerKey, together.status?.(), together.fetchChanges]).toEqual([
    'the client',
    { tier: 'snapshot' },
    undefined,
  ]);
  const context = { signal: new AbortController().signal, reason: 'interval' };
  const single = together.fetchOne!('a', context);
  const many = together.fetchMany!(['b', 'c'], context);
  await settle();
  expect(statements.map(({ keys }) => keys)).toEqual([['b', 'c'], ['a']]);
  for (const statement of statements) statement.answer();
  expect([await single, (await many).size]).toEqual(['row a', 2]);
});
