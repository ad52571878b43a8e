import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InStep } from '../src/in-step.ts';

/** Counts what is asked of it. */
class Counting extends Map<string, number> {
  lookUps = 0;
  steps = 0;

  override get(key: string): number | undefined {
    this.lookUps += 1;
    return super.get(key);
  }

  override *entries(): MapIterator<[string, number]> {
    for (const entry of super.entries()) {
      this.steps += 1;
      yield entry;
    }
  }
}

const names = (count: number, prefix = 'key'): string[] => Array.from({ length: count }, (_, n) => `${prefix} ${n}`);

function holding(keys: readonly string[]): Counting {
  const held = new Counting();
  for (const [n, key] of keys.entries()) held.set(key, n);
  return held;
}

/** How many look-ups and steps an answer costs, all of it found. */
function costOf(held: Counting, answer: readonly string[]): { readonly lookUps: number; readonly steps: number } {
  const inStep = new InStep(() => held);
  for (const key of answer) expect(inStep.find(key)).toBe(Map.prototype.get.call(held, key));
  return { lookUps: held.lookUps, steps: held.steps };
}

describe('what is held', () => {
  const keys = names(1_000);

  test('is found without a look-up where the answer has the order of what is held', () => {
    expect(costOf(holding(keys), keys)).toEqual({ lookUps: 0, steps: 1_000 });
  });

  test.each([
    ['a row has moved to the end', [...keys.filter((key) => key !== 'key 500'), 'key 500'], 3],
    ['a row has moved to the front', ['key 500', ...keys.filter((key) => key !== 'key 500')], 5],
    ['a row is new', keys.toSpliced(500, 0, 'new'), 2],
    ['a row is gone', keys.toSpliced(500, 1), 2],
    ['rows are new at the end', [...keys, ...names(100, 'new')], 100],
    ['a hundred rows are new in the midst', keys.toSpliced(500, 0, ...names(100, 'new')), 101],
    ['a hundred rows are gone', keys.toSpliced(500, 100), 130],
    ['a hundred rows are gone, and one further on', keys.toSpliced(800, 1).toSpliced(100, 100), 140],
    ['every tenth row has moved to the end', moved(keys, 10), 300],
  ])('takes few look-ups where %s', (_, answer, most) => {
    expect(costOf(holding(keys), answer).lookUps).toBeLessThanOrEqual(most);
  });

  test('takes a few steps for each key, however many there are that are not expected', () => {
    const reversed = costOf(holding(keys), keys.toReversed());
    expect(reversed.lookUps).toBeGreaterThan(900);
    expect(reversed.steps).toBeLessThanOrEqual(2_000);
    const strange = costOf(holding(keys), names(1_000, 'new'));
    expect(strange).toEqual({ lookUps: 1_000, steps: 1 });
  });

  test('is found in step from the beginning where all of it was replaced', () => {
    let held = holding(keys);
    const inStep = new InStep(() => held);
    for (const key of keys.toReversed()) inStep.find(key);
    held = holding(keys);
    for (const key of keys) inStep.find(key);
    expect([held.lookUps, held.steps]).toEqual([0, 1_000]);
  });

  test('is what is held when it is asked for, whatever became of it since the walk began', () => {
    const key = fc.integer({ min: 0, max: 30 }).map(String);
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('find' as const), key }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('next' as const), key }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('set' as const, 'delete' as const), key }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const), key }) },
    );
    fc.assert(
      fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 200 }), (first, steps) => {
        let held = new Map(first.map((name, n) => [name, n]));
        const inStep = new InStep(() => held);
        let order = first.values();
        for (const [n, { do: what, key: name }] of steps.entries()) {
          if (what === 'set') held.set(name, 1_000 + n);
          else if (what === 'delete') held.delete(name);
          else if (what === 'replace') {
            held = new Map([...held.keys()].toReversed().map((each, m) => [each, 2_000 + 100 * n + m]));
            order = [...held.keys()].values();
          } else {
            const asked = what === 'next' ? (order.next().value ?? name) : name;
            expect(inStep.find(asked)).toBe(held.get(asked));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

function moved(keys: readonly string[], nth: number): string[] {
  return [...keys.filter((_, n) => n % nth !== 0), ...keys.filter((_, n) => n % nth === 0)];
}
