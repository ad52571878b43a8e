import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problemOf } from '../mutants/check.ts';
import { assertTitled, type Fault, titlePattern, withFault } from '../mutants/fault.ts';
import { FAULTS } from '../mutants/faults.ts';
import { judge, unsound } from '../mutants/judge.ts';
import { Workshop } from '../mutants/workshop.ts';

const PROMISES = Array.from({ length: 14 }, (_, index) => index + 1);

describe('the faults', () => {
  test('fit the code as it is, once each, and name a test that there is', () => {
    const problems = FAULTS.map((fault) => ({ fault: fault.name, problem: problemOf(fault) }));
    expect(problems.filter(({ problem }) => problem !== undefined)).toEqual([]);
  });

  test('are at least sixty, of different names, and at least three for each promise', () => {
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
    expect(FAULTS.length).toBeGreaterThanOrEqual(60);
    const few = PROMISES.filter((promise) => FAULTS.filter((fault) => fault.promise === promise).length < 3);
    expect(few).toEqual([]);
    expect(new Set(FAULTS.map(({ promise }) => promise)).size).toBe(PROMISES.length);
  });
});

describe('a fault', () => {
  const [fault] = FAULTS as readonly [Fault];

  test('has to stand in its file exactly once', () => {
    const { find, replace } = fault;
    expect(withFault(`before ${find} after`, fault)).toBe(`before ${replace} after`);
    expect(() => withFault('nothing of it', fault)).toThrow('found 0');
    expect(() => withFault(find + find, fault)).toThrow('found 2');
  });

  test('names one test, whatever that fills into its title', () => {
    const named = { file: 'a.test.ts', title: 'a title of * (*)' };
    for (const written of ["test('a title of %s ($shape)', ", `test(\`a title of \${what} (\${how})\`, `]) {
      assertTitled(written, named);
      expect(() => assertTitled(written + written, named)).toThrow('found 2');
    }
    expect(() => assertTitled("test('a title of it', ", named)).toThrow('found 0');
    expect('a title of all (that)').toMatch(new RegExp(`^${titlePattern(named.title)}$`));
  });
});

/** Really built in, into a copy. */
describe('in a copy of the code', { timeout: 60_000 }, () => {
  const CHOSEN = [
    'the fence is dropped in the bulk path: a snapshot brings back what was invalidated while it was read',
    'a late single answer overwrites a refresh',
    'the age of a held row is renewed',
  ];
  let workshop: Workshop;
  const chosen = (name: string): Fault => FAULTS.find((fault) => fault.name === name)!;

  beforeAll(async () => {
    workshop = await Workshop.open();
  });
  afterAll(() => workshop.close());

  test('the tests of the chosen faults pass; one that does not exist does not', async () => {
    const tests = CHOSEN.map((name) => chosen(name).caughtBy);
    const missing = { file: tests[0]!.file, title: 'no test has this title' };
    expect(await unsound(workshop, [...tests, missing])).toEqual([missing]);
  });

  test.each(CHOSEN)('is caught: %s', async (name) => {
    expect(await judge(workshop, chosen(name))).toBe('caught');
  });

  test('what the test does not notice has survived, and what cannot be loaded was not run', async () => {
    const [harmless, broken] = ['a late single answer overwrites a refresh', CHOSEN[2]!].map(chosen);
    expect(await judge(workshop, { ...harmless!, replace: harmless!.find.concat(' // as it was') })).toBe('survived');
    expect(await judge(workshop, { ...broken!, replace: ') this is no code (' })).toBe('not run');
  });
});
