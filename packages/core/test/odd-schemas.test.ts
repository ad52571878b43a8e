import { describe, expect, test } from 'vitest';
import type { StandardSchema } from '../src/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, setUp } from './support/set-up.ts';

expectNoUnhandledRejections();

interface Row {
  readonly n: number;
}

type Result = Awaited<ReturnType<StandardSchema<Row>['~standard']['validate']>>;

/** A promise of another library, as it may be: it only has `then`. */
class Thenable {
  readonly #result: Result;

  constructor(result: Result) {
    this.#result = result;
  }

  // biome-ignore lint/suspicious/noThenProperty: that is what it is.
  then(fulfilled: (result: Result) => void): void {
    fulfilled(this.#result);
  }
}

const WAYS: readonly { readonly way: string; readonly answer: (result: () => unknown) => unknown }[] = [
  { way: 'at once', answer: (result) => result() },
  { way: 'later', answer: async (result) => result() },
  { way: 'by a promise that is not the platform’s', answer: (result) => new Thenable(result() as Result) },
];

const ODD_RESULTS: readonly { readonly what: string; readonly result: () => unknown }[] = [
  { what: 'null for an issue', result: () => ({ issues: [null] }) },
  { what: 'null for a path', result: () => ({ issues: [{ message: 'no', path: null }] }) },
  { what: 'null in a path', result: () => ({ issues: [{ message: 'no', path: [null] }] }) },
  { what: 'issues that are no list', result: () => ({ issues: 'no' }) },
  { what: 'no message', result: () => ({ issues: [{ message: Symbol('no') }] }) },
  { what: 'nothing', result: () => undefined },
  { what: 'null', result: () => null },
  {
    what: 'issues that cannot be read',
    result: () => ({
      get issues() {
        throw new Error('not to be read');
      },
    }),
  },
];

function schemaThat(answer: (value: Row) => unknown): StandardSchema<Row> {
  return { '~standard': { version: 1, vendor: 'test', validate: (value) => answer(value as Row) as Result } };
}

const rows: readonly (readonly [string, Row])[] = [
  ['good', { n: 1 }],
  ['bad', { n: 2 }],
];

describe.each(SHAPES)('with $shape and a schema that answers', ({ methods }) => {
  for (const { way, answer } of WAYS) {
    for (const { what, result } of ODD_RESULTS) {
      test(`${what}, ${way}, a row that it refuses so is quarantined, and no other`, async () => {
        const schema = schemaThat((row) => answer(row.n === 2 ? result : () => ({ value: row })));
        const set = setUp<Row>({ methods, rows, schema });
        await load(set);
        expect([...set.cache.entries()]).toEqual([['good', { n: 1 }]]);
        expect(set.cache.inspect('bad').quarantined).toBe('the schema threw');
        await set.cache.stop();
      });
    }
  }

  test('with a "then" that is no function, it has answered at once', async () => {
    // biome-ignore lint/suspicious/noThenProperty: that is what it is about.
    const set = setUp<Row>({ methods, rows, schema: schemaThat((row) => ({ value: row, then: undefined })) });
    await load(set);
    expect(set.cache.size).toBe(2);
    expect(set.cache.stats().quarantined).toBe(0);
    await set.cache.stop();
  });
});
