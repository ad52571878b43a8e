import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { type Settings, type SetUp, setUp } from './support/set-up.ts';

expectNoUnhandledRejections();

const AT_A_TIME = 16;
const KEYS = Array.from({ length: 40 }, (_, index) => `k${index}`);
const LAST = KEYS.at(-1)!;

/** A source that can only be asked for one key at a time, and holds its answers. */
function held(settings: Settings<string> = {}): SetUp<string> {
  const rows = KEYS.map((key) => [key, key] as const);
  const set = setUp<string>({ methods: ['fetchOne'], rows, timeout: '10s', ...settings });
  set.source.behave('hold');
  return set;
}

/** What was asked for, in order. */
const asked = ({ calls }: SetUp<string>): string[] => calls.flatMap(({ keys }) => keys);

/** Answers what is under way, and what comes after it. */
async function answerAll({ calls }: SetUp<string>): Promise<void> {
  for (let answered = 0; answered < calls.length; await settle()) {
    for (; answered < calls.length; answered += 1) calls[answered]!.answer();
  }
}

const codeOf = (work: Promise<unknown>): Promise<unknown> => work.catch(({ code }: { code: unknown }) => code);

describe('a key that waits for its turn', () => {
  test('is asked for at once by a fetch, and not once more when its turn comes', async () => {
    const set = held();
    const many = set.cache.fetchMany(KEYS);
    expect(asked(set)).toEqual(KEYS.slice(0, AT_A_TIME));
    const one = set.cache.fetch(LAST);
    expect(asked(set)).toEqual([...KEYS.slice(0, AT_A_TIME), LAST]);
    set.calls.at(-1)!.answer();
    expect(await one).toBe(LAST);
    await answerAll(set);
    expect((await many).size).toBe(KEYS.length);
    expect(asked(set).toSorted()).toEqual(KEYS.toSorted());
    expect(set.cache.stats()).toMatchObject({ sourceCalls: KEYS.length, coalesced: 1 });
  });

  test('has a deadline that counts from when it is asked for', async () => {
    const set = held();
    const warmed = set.cache.warm(KEYS);
    await set.clock.advance('4s');
    const one = codeOf(set.cache.fetch(LAST));
    const { signal } = set.calls.at(-1)!.context;
    await set.clock.advance(9_999);
    expect(signal.aborted).toBe(false);
    await set.clock.advance(1);
    expect(await one).toBe('source-timeout');
    await answerAll(set);
    await warmed;
    await set.cache.stop();
  });

  test('keeps its stale value from a fetch until softTimeout after it is asked for', async () => {
    const set = held({ softTimeout: 100 });
    set.source.behave('answer');
    await set.cache.warm([LAST]);
    await set.clock.advance('6m');
    set.source.behave('hold');
    set.source.rows.set(LAST, 'new');
    void set.cache.warm(KEYS);
    await set.clock.advance('5s');
    const quick = set.cache.fetch(LAST);
    set.calls.at(-1)!.answer();
    expect(await quick).toBe('new');
    await set.cache.stop();
  });

  test('is asked for by another fetchMany that wants it, sixteen at a time', async () => {
    const set = held();
    const warmed = set.cache.warm(KEYS);
    const few = KEYS.slice(-20);
    const many = set.cache.fetchMany(few);
    expect(asked(set)).toEqual([...KEYS.slice(0, AT_A_TIME), ...few.slice(0, AT_A_TIME)]);
    await answerAll(set);
    expect([...(await many).keys()]).toEqual(few);
    expect(await warmed).toMatchObject({ loaded: KEYS.length });
    expect(asked(set).toSorted()).toEqual(KEYS.toSorted());
  });

  test('is asked for once by a fresh fetch, whose answer does for all', async () => {
    const set = held();
    const many = set.cache.fetchMany(KEYS);
    const fresh = set.cache.fetch(LAST, { fresh: true });
    expect(asked(set).at(-1)).toBe(LAST);
    const another = set.cache.fetch(LAST, { fresh: true });
    expect(asked(set)).toHaveLength(AT_A_TIME + 2);
    await answerAll(set);
    expect([await fresh, await another, (await many).get(LAST)]).toEqual([LAST, LAST, LAST]);
    expect(asked(set).filter((key) => key === LAST)).toHaveLength(2);
  });

  test('and is invalidated is asked for once, after that, for those who wait and those who come', async () => {
    const set = held();
    const many = set.cache.fetchMany(KEYS);
    set.source.rows.set(LAST, 'new');
    await set.cache.invalidate(LAST);
    const one = set.cache.fetch(LAST);
    await answerAll(set);
    expect([await one, (await many).get(LAST), set.cache.get(LAST)]).toEqual(['new', 'new', 'new']);
    expect(asked(set).toSorted()).toEqual(KEYS.toSorted());
  });

  test('is asked for once though all was invalidated and asked for again', async () => {
    const set = held();
    const before = set.cache.fetchMany(KEYS);
    await set.cache.invalidateAll();
    const after = set.cache.fetchMany(KEYS);
    await answerAll(set);
    expect([(await before).size, (await after).size]).toEqual([KEYS.length, KEYS.length]);
    const twice = KEYS.slice(0, AT_A_TIME);
    expect(asked(set).toSorted()).toEqual([...KEYS, ...twice].toSorted());
    expect(set.cache.size).toBe(KEYS.length);
  });

  test('is never asked for when the cache is stopped, not even if it starts again at once', async () => {
    const set = held();
    const many = codeOf(set.cache.fetchMany(KEYS));
    const stopped = set.cache.stop();
    const started = set.cache.start();
    await Promise.all([stopped, started]);
    await settle();
    expect(asked(set)).toEqual(KEYS.slice(0, AT_A_TIME));
    expect(await many).toBe('stopped');
    const one = set.cache.fetch(LAST);
    expect(asked(set).at(-1)).toBe(LAST);
    await answerAll(set);
    expect(await one).toBe(LAST);
    await set.cache.stop();
  });
});
