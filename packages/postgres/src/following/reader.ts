/** What a glance at the change log reads: one SELECT, and how the changes of tables lead to its keys. */
import type { Statement } from '../database.ts';
import type { ResolvedOptions } from '../options.ts';
import type { Column, Shape } from '../shape.ts';
import { keyIsAmong, keysStatement } from '../statements.ts';
import type { FollowedTable } from './follow-options.ts';

export interface Reader {
  readonly options: ResolvedOptions;
  readonly shape: Shape;
  readonly follow: readonly FollowedTable[];
  /** The columns that its key is made of. */
  readonly key: readonly Column[];
  /** They are the table's own, under their own names; else the SELECT may have made or renamed them. */
  readonly isKeyOfTable: boolean;
  /** Stands before each of its keys: two readers in one glance never share a key. */
  readonly tag: string;
  /** The condition, for `rowsQuery`, that the key without its tag is in column `k` of this relation. */
  among(relation: string): string;
  /** The rows of these keys; `undefined`: none of them can be a key of this reader. */
  rowsOf(keys: Iterable<string>): Statement | undefined;
}

/** The reader of a source with one SELECT. */
export function readerOf(options: ResolvedOptions, follow: readonly FollowedTable[], shape: Shape): Reader {
  return {
    options,
    shape,
    follow,
    key: shape.columns.filter(({ name }) => name === options.key),
    isKeyOfTable: false,
    tag: '',
    among: (relation) =>
      keyIsAmong(options, shape, {
        texts: `(select array_agg(k) from ${relation})::text[]`,
        values: ({ cast, sqlOf }) => `(select array_agg(${sqlOf('k')}) from ${relation})::${cast}[]`,
      }),
    rowsOf: (keys) => keysStatement(options, shape, keys),
  };
}
