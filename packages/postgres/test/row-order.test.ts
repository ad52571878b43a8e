import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowMemory } from '../src/row-memory.ts';

/** Any rows in any order, some of them with the text that they had last time. */
const reading = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 2 })), {
  selector: ([key]) => key,
});

test('a row whose text is that of the last reading is the same object, in whatever order the rows come', () => {
  let known = 0;
  const check = (readings: readonly (readonly (readonly [number, number])[])[]): void => {
    const memory = new RowMemory();
    let before = new Map<string, { readonly text: string; readonly value: unknown }>();
    for (const rows of readings) {
      const { recall, end } = memory.readAll(false);
      const now: typeof before = new Map();
      for (const [key, version] of rows) {
        const text = `version ${version} of ${key}`;
        const value = recall(`${key}`, text, () => ({ text }));
        expect(value).toEqual({ text });
        const last = before.get(`${key}`);
        if (last?.text === text) {
          known += 1;
          expect(value).toBe(last.value);
        }
        now.set(`${key}`, { text, value });
      }
      end();
      before = now;
    }
  };
  fc.assert(fc.property(fc.array(reading, { maxLength: 6 }), check), { numRuns: 1_000 });
  expect(known).toBeGreaterThan(200);
});

test.each([
  ['as it was', (keys: string[]) => keys],
  ['with rows in between', (keys: string[]) => keys.flatMap((key) => [`${key} and`, key])],
  ['without some of them', (keys: string[]) => keys.filter((_, index) => index % 3 > 0)],
  ['backwards', (keys: string[]) => keys.toReversed()],
])('%s, a reading makes nothing of the rows that it knows', (_name, change) => {
  const memory = new RowMemory();
  const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
  const read = (these: readonly string[]): string[] => {
    const made: string[] = [];
    const { recall, end } = memory.readAll(false);
    for (const key of these) recall(key, `text of ${key}`, () => made.push(key));
    end();
    return made;
  };
  expect(read(keys)).toEqual(keys);
  const changed = change(keys);
  expect(read(changed)).toEqual(changed.filter((key) => !keys.includes(key)));
  expect(read(changed)).toEqual([]);
});

test.each([
  ['short', 1],
  ['too long to be put together in one place', 30_000],
])('a group of texts that are %s is known by all of them, in their order', (_name, times) => {
  const memory = new RowMemory();
  const isKnown = (texts: readonly string[]): boolean => {
    let known = true;
    const { recall, end } = memory.readAll(false);
    recall('key', texts, () => {
      known = false;
      return texts;
    });
    end();
    return known;
  };
  const [one, another, third] = ['{"a":"ü"}', '{"b":"€"}', '{"c":1}'].map((text) => text.padEnd(times)) as [
    string,
    string,
    string,
  ];
  expect([isKnown([one, another]), isKnown([one, another])]).toEqual([false, true]);
  expect(isKnown([another, one])).toBe(false);
  expect(isKnown([another, one, third])).toBe(false);
  expect([isKnown([another]), isKnown([another])]).toEqual([false, true]);
  expect([isKnown([]), isKnown([])]).toEqual([false, true]);
});
