/** The options of a view. */
import type { StandardSchema } from 'evercache';
import { fail, type MirrorTables, type ResolvedTable, type RowOf } from './mirror-options.ts';
import type { MirrorReading } from './reading.ts';

export interface ViewOptions<Tables extends MirrorTables, Name extends keyof Tables & string, V> {
  /** Names the view in errors, metrics and logs. */
  readonly name: string;
  /** The table whose rows are the view's keys: it has a value for each of them. */
  readonly keys: Name;
  /**
   * Pure function of the rows it reads: what is in memory under a key. Synchronous; called when somebody asks, and again
   * when something it looked at has changed. Must not return `undefined`. An error it throws costs this one key.
   */
  readonly build: (row: RowOf<Tables[Name]>, read: MirrorReading<Tables>, key: string) => V;
  /** Build every value before `start()` and `refresh()` resolve, a slice at a time, and not when it is asked for. @default false */
  readonly ahead?: boolean;
}

export interface ViewOptionsWithSchema<Tables extends MirrorTables, Name extends keyof Tables & string, V>
  extends ViewOptions<Tables, Name, unknown> {
  /** Checks what `build` gives, as zod, valibot and others can; where it fails, the last good value stays. @default none */
  readonly schema: StandardSchema<V>;
  /**
   * What of the last good value may be served although the newest is refused, by what the tables say now: a list without
   * what was taken away meanwhile. Pure, synchronous, called as `build` is; its answer is not checked again. Where it
   * throws or gives `undefined`, nothing is served. @default all of it
   */
  readonly whenRefused?: (lastGood: V, row: RowOf<Tables[Name]>, read: MirrorReading<Tables>, key: string) => V;
}

/** Checked; what it knows of tables is what a view needs. */
export interface ResolvedView {
  readonly name: string;
  readonly keys: ResolvedTable;
  readonly build: (row: unknown, read: unknown, key: string) => unknown;
  readonly schema: StandardSchema<unknown> | undefined;
  readonly whenRefused: ((lastGood: unknown, row: unknown, read: unknown, key: string) => unknown) | undefined;
  readonly ahead: boolean;
}

const KNOWN = ['name', 'keys', 'build', 'schema', 'whenRefused', 'ahead'] as const;

export function resolveView(options: object, tables: readonly ResolvedTable[]): ResolvedView {
  const refuse = (option: string, expected: string, got: unknown): never => fail(option, expected, got, 'view');
  if (typeof options !== 'object' || options === null) refuse('options', 'an object', options);
  for (const name of Object.keys(options)) {
    if (!(KNOWN as readonly string[]).includes(name)) {
      throw new TypeError(`view: unknown option "${name}"; expected one of ${KNOWN.join(', ')}`);
    }
  }
  const { name, keys, build, schema, whenRefused, ahead = false } = options as Partial<ResolvedView>;
  if (typeof name !== 'string' || name === '') throw refuse('name', 'a non-empty string', name);
  const table = tables.find((known) => known.name === (keys as unknown));
  if (table === undefined) throw refuse('keys', `one of ${tables.map((known) => known.name).join(', ')}`, keys);
  if (typeof build !== 'function') throw refuse('build', 'a function', build);
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    refuse('schema', 'a Standard Schema (zod, valibot, ...)', schema);
  }
  if (whenRefused !== undefined && typeof whenRefused !== 'function') refuse('whenRefused', 'a function', whenRefused);
  if (typeof ahead !== 'boolean') refuse('ahead', 'a boolean', ahead);
  return { name, keys: table, build, schema, whenRefused, ahead };
}
