/** The short run of the exploration: see packages/core/explore. */
import { describe, expect, test, vi } from 'vitest';
import { addTo, explore, noOutcome } from '../explore/explore.ts';
import { PROMISE_NUMBERS, PROMISES } from '../explore/promises.ts';
import { toReport } from '../explore/report.ts';

const HISTORIES = 3_000;
const AT_LEAST = 500;
const ALWAYS_THE_SAME = 20_260_101;

describe('over random histories', () => {
  test('every promise is kept, and every check had something to say', { timeout: 240_000 }, async () => {
    const chance = Date.now() % 2 ** 31;
    const startedAt = performance.now();
    const outcome = noOutcome();
    for (const seed of [ALWAYS_THE_SAME, chance]) {
      if (outcome.failure === undefined) addTo(outcome, await explore({ histories: HISTORIES / 2, seed }));
    }
    console.log(`seeds ${ALWAYS_THE_SAME} and ${chance}\n${toReport(outcome, performance.now() - startedAt)}`);
    expect(outcome.failure).toBeUndefined();
    expect(outcome.histories).toBe(HISTORIES);
    for (const number of PROMISE_NUMBERS)
      expect(outcome.counts[number], PROMISES[number]).toBeGreaterThanOrEqual(AT_LEAST);
  });

  test('each goes as it went before, however busy the machine is', async () => {
    const wish = { histories: 50, seed: ALWAYS_THE_SAME };
    const before = await explore(wish);
    let now = 0;
    // Between any two looks at the clock others have had the processor.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 100;
      return now;
    });
    const busy = await explore(wish);
    clock.mockRestore();
    expect(busy).toEqual(before);
  });
});
