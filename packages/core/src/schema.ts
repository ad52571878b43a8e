/** One row at a time: is it what the user said it would be? */

/**
 * The part of the Standard Schema contract (https://standardschema.dev, v1) that is used here. zod, valibot, arktype
 * and others implement it.
 */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type CheckedRow<T> = { readonly value: T; readonly problem?: undefined } | { readonly problem: string };

const MAX_PROBLEM_LENGTH = 300;

/** Checks rows by a schema; without one every row is as it should be. */
export class RowCheck<T> {
  readonly #schema: StandardSchema<T> | undefined;
  /** A source that hands over the same object for an unchanged row is answered with the same value. */
  readonly #known = new WeakMap<WeakKey, CheckedRow<T>>();

  constructor(schema: StandardSchema<T> | undefined) {
    this.#schema = schema;
  }

  check(row: unknown): CheckedRow<T> | Promise<CheckedRow<T>> {
    if (this.#schema === undefined) return { value: row as T };
    const object = typeof row === 'object' && row !== null ? row : undefined;
    const known = object && this.#known.get(object);
    if (known !== undefined) return known;
    const remember = (checked: CheckedRow<T>): CheckedRow<T> => {
      // Not what is bad: a schema that asks elsewhere may think better of it.
      if (object !== undefined && checked.problem === undefined) this.#known.set(object, checked);
      return checked;
    };
    try {
      const result = this.#schema['~standard'].validate(row);
      if (!isThenable(result)) return remember(read(result));
      // Made a promise of ours: what only has a `then` may lack the rest. And what it gives may be no result at all.
      return Promise.resolve(result)
        .then(read<T>)
        .then(remember, threw);
    } catch {
      return threw();
    }
  }
}

function read<T>(result: SchemaResult<T>): CheckedRow<T> {
  if (result.issues === undefined) {
    return result.value === undefined ? { problem: 'the schema gave undefined, which means absent' } : result;
  }
  const problem = result.issues.map((issue) => [pathOf(issue), issue.message].filter(Boolean).join(': ')).join('; ');
  return { problem: problem.slice(0, MAX_PROBLEM_LENGTH) };
}

/** By its shape: a promise of another realm, or of another library, does as well. */
function isThenable<R>(result: R | PromiseLike<R>): result is PromiseLike<R> {
  return typeof (result as PromiseLike<R> | undefined)?.then === 'function';
}

function pathOf({ path = [] }: SchemaIssue): string {
  return path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
}

function threw(): CheckedRow<never> {
  return { problem: 'the schema threw' };
}
