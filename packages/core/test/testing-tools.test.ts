import { describe, expect, test } from 'vitest';
import { ScriptedSource, settle, VirtualClock } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SHAPES } from './support/set-up.ts';

expectNoUnhandledRejections();

const context = { signal: new AbortController().signal, reason: 'test' };

describe('VirtualClock', () => {
  test('fires what falls due, in order, and lets what follows from it happen', async () => {
    const clock = new VirtualClock();
    const start = clock.now();
    const ran: string[] = [];
    const note = (name: string) => (): void => void ran.push(`${name} at ${clock.now() - start}`);
    clock.setTimer(note('late'), 100);
    clock.setTimer(note('first'), 10);
    clock.setTimer(note('second'), 10);
    clock.setTimer(() => void Promise.resolve().then(() => clock.setTimer(note('chained'), 5)), 20);
    clock.setTimer(note('cancelled'), 15)();
    expect(clock.pendingTimers).toBe(4);
    await clock.advance(30);
    expect(ran).toEqual(['first at 10', 'second at 10', 'chained at 25']);
    expect(clock.now()).toBe(start + 30);
    await clock.advance('70ms');
    expect(ran.at(-1)).toBe('late at 100');
    expect(clock.pendingTimers).toBe(0);
  });

  test('knows which timers keep a process alive', () => {
    const clock = new VirtualClock();
    clock.setTimer(() => undefined, 1, true);
    clock.setTimer(() => undefined, 1);
    expect([clock.pendingTimers, clock.keepAliveTimers]).toEqual([2, 1]);
  });

  test('suspends: time passes, nothing fires until it wakes up', async () => {
    const clock = new VirtualClock();
    let firedAt = 0;
    clock.setTimer(() => {
      firedAt = clock.now();
    }, 10);
    const start = clock.now();
    clock.suspend('1h');
    expect(firedAt).toBe(0);
    await clock.advance(0);
    expect(firedAt).toBe(start + 3_600_000);
  });

  test('has a wall clock beside it that may jump', async () => {
    const clock = new VirtualClock();
    const [wall, now] = [clock.wall(), clock.now()];
    clock.jumpWall(-5_000);
    await clock.advance('1s');
    expect([clock.wall() - wall, clock.now() - now]).toEqual([-4_000, 1_000]);
  });

  test('has a chance that can be repeated', () => {
    const draw = (seed?: number): number[] => {
      const clock = new VirtualClock(seed);
      return Array.from({ length: 100 }, () => clock.random());
    };
    expect(draw()).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
    expect(draw(3).every((chance) => chance >= 0 && chance < 1)).toBe(true);
    expect(new Set(draw(4)).size).toBeGreaterThan(95);
  });

  test('refuses what is no duration', async () => {
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 'soon', undefined]) {
      await expect(new VirtualClock().advance(wrong as never)).rejects.toThrow(TypeError);
    }
  });
});

describe('ScriptedSource', () => {
  const make = (): { clock: VirtualClock; source: ScriptedSource<number> } => {
    const clock = new VirtualClock();
    return {
      clock,
      source: new ScriptedSource<number>({
        clock,
        rows: [
          ['a', 1],
          ['b', 2],
          ['c', 3],
        ],
      }),
    };
  };
  const readAll = async (source: ScriptedSource<number>): Promise<string[]> => {
    const keys: string[] = [];
    for await (const [key] of (await source.fetchAll!(context)) as AsyncIterable<[string, number]>) keys.push(key);
    return keys;
  };

  test.each(SHAPES)('has the methods it is told to have ($shape)', ({ methods }) => {
    const source = new ScriptedSource({ clock: new VirtualClock(), methods });
    for (const method of ['fetchAll', 'fetchOne', 'fetchMany'] as const) {
      expect(typeof source[method]).toBe(methods.includes(method) ? 'function' : 'undefined');
    }
  });

  test('answers the truth as of the call', async () => {
    const { clock, source } = make();
    source.behave({ slowMs: 10 });
    const answer = source.fetchOne!('a', context);
    source.rows.set('a', 9);
    await clock.advance(10);
    expect(await answer).toBe(1);
    source.behave('answer');
    expect(await source.fetchOne!('a', context)).toBe(9);
    expect([...(await source.fetchMany!(['c', 'missing'], context))]).toEqual([['c', 3]]);
    expect(await readAll(source)).toEqual(['a', 'b', 'c']);
    expect([source.count(), source.count('fetchOne')]).toEqual([4, 2]);
    expect(source.calls.map(({ keys }) => keys)).toEqual([['a'], ['a'], ['c', 'missing'], ['a', 'b', 'c']]);
  });

  test('fails, refuses, says that there is nothing, breaks off, pauses, holds', async () => {
    const { source } = make();
    source.behave('fail');
    await expect(source.fetchOne!('a', context)).rejects.toThrow('connection refused');
    source.behave('refuse');
    await expect(source.fetchMany!(['a'], context)).rejects.toMatchObject({ reachable: true });
    source.behave('empty');
    expect(await readAll(source)).toEqual([]);
    expect(await source.fetchOne!('a', context)).toBeUndefined();
    source.behave('half');
    await expect(readAll(source)).rejects.toThrow('connection reset');
    expect(await source.fetchOne!('a', context)).toBe(1);
    source.behave('pause');
    const paused = readAll(source);
    source.calls.at(-1)!.answer();
    expect(await paused).toEqual(['a', 'b', 'c']);
    source.behave('hold');
    const held = source.fetchOne!('a', context);
    source.calls.at(-1)!.answer(new Map([['a', 7]]));
    expect(await held).toBe(7);
    const failed = source.fetchMany!(['a'], context);
    source.calls.at(-1)!.fail(new Error('told to'));
    await expect(failed).rejects.toThrow('told to');
  });

  test('has one behaviour for each call, if told so', async () => {
    const { source } = make();
    const asked: string[] = [];
    source.behave((call, method) => {
      asked.push(`${call} ${method}`);
      return call % 2 ? 'answer' : 'fail';
    });
    expect(await readAll(source)).toHaveLength(3);
    await expect(readAll(source)).rejects.toThrow();
    expect(await source.fetchOne!('a', context)).toBe(1);
    expect(asked).toEqual(['1 fetchAll', '2 fetchAll', '3 fetchOne']);
  });

  test('hangs, whatever the signal says', async () => {
    const { source } = make();
    source.behave('hang');
    const controller = new AbortController();
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    source.fetchOne!('a', { signal: controller.signal, reason: 'test' }).then(end, end);
    controller.abort();
    await settle();
    expect(ended).toBe(false);
  });
});
