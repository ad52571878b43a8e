/**
 * The one statement by which changes are looked at, whatever tells of them: one snapshot, whatever lies between us and
 * the server. The first row of the answer is what was seen, the others are the rows of the keys that are touched.
 */
import type { Answer, Statement } from '../database.ts';
import { rowReader, rowsOfKeys } from '../rows.ts';
import { arrayLiteral, literal, quoted, rowsQuery } from '../statements.ts';
import type { Reader } from './reader.ts';

/** More keys than these are not read by the statement itself. */
export const MOST_KEYS = 2000;

interface AnswerParts {
  readonly readers: readonly Reader[];
  /** A WITH that ends with `evercache_touched (reader, k)`: keys, without the tag of their reader. */
  readonly touched: string;
  /** SQL of what was seen, one text. */
  readonly head: string;
}

export function answerText({ readers, touched, head }: AnswerParts): string {
  const rows = readers.map(({ options, shape, among }, index) => {
    const own = `evercache_touched where reader = ${index}`;
    // What has no column in it is decided before the SELECT is begun: with nothing touched it is not run.
    const few = `exists (select from ${own}) and (select count(*) from evercache_touched) <= ${MOST_KEYS}`;
    return `select k, t, row_number() over () + ${index * 2 * MOST_KEYS} as place from (
${rowsQuery(options, shape, `${among(own)} and ${few}`)}
) as touched_rows`;
  });
  return `${touched}
select k, t from (
select null as k, ${head} as t, 0 as place
union all
${rows.join('\nunion all\n')}
) as answer order by place`;
}

/** Where changes are looked for: after this id, but for these that were visible already, in these tables. */
interface Asked {
  readonly readers: readonly Reader[];
  /** `undefined`: only where we are. */
  readonly since: { readonly xmin: string; readonly doneXids: readonly string[] } | undefined;
  readonly tables: readonly string[];
}

/** The parameters of a SELECT come first: of several readers none has any. */
export function valuesOf({ readers, since, tables }: Asked): Statement['values'] {
  const position = since === undefined ? [null, '{}'] : [since.xmin, arrayLiteral(since.doneXids)];
  return [...readers.flatMap(({ options }) => options.params), ...position, arrayLiteral(tables)];
}

/** SQL of what `valuesOf` gives, without those of a SELECT. `xid`: the type of ids. */
export function parametersOf(
  readers: readonly Reader[],
  xid: 'xid' | 'xid8',
): { readonly since: string; readonly done: string; readonly tables: string } {
  const place = readers.flatMap(({ options }) => options.params).length;
  return {
    since: `$${place + 1}::text::${xid}`,
    done: `$${place + 2}::text::text[]`,
    tables: `$${place + 3}::text::text[]`,
  };
}

/** All keys that are touched, however many. `touched`: as in `answerText`. */
export function allTouched(readers: readonly Reader[], touched: string, values: Statement['values']): Statement {
  const named = namesParameters(values.length);
  return { text: `${touched}\nselect ${taggedKey(readers)} from evercache_touched where ${named}`, values };
}

/** SQL of a touched key as the cache has it. */
export function taggedKey(readers: readonly Reader[]): string {
  if (readers.every(({ tag }) => tag === '')) return 'k';
  return `(array[${readers.map(({ tag }) => `'${tag}'`).join(', ')}])[reader + 1] || k`;
}

/** A condition that is true and names the first so many parameters: one that is nowhere named has no type. */
function namesParameters(count: number): string {
  return `num_nulls(${Array.from({ length: count }, (_, index) => `$${index + 1}::text`).join(', ')}) >= 0`;
}

/** SQL of the names and types of what each reader reads: a list of JSON values. */
export function columnsSql(readers: readonly Reader[]): string {
  const columns = readers.map(
    ({
      options,
      shape,
    }) => `(select json_build_array((select json_agg(name) from json_object_keys(row_to_json(d.*)) as name)${shape.columns.map(({ name }) => `, pg_typeof(d.${quoted(name)})::oid::text`).join('')})
    from (select q.* from (values (1)) as one left join (
${options.select}
) as q on false) as d)`,
  );
  return columns.join(',\n  ');
}

/**
 * SQL of the columns of the followed tables, as their names are understood now. A column that is dropped while another
 * takes its name, as a migration does at its end, leaves nothing else behind: no row is written, and what is read has the
 * columns it had. So it is with a table that comes first in the search path since. The tables are named one by one, because
 * of a list the planner expects ten and would plan the statement anew each time.
 */
export function tableColumnsSql(readers: readonly Reader[]): string {
  const names = readers.flatMap(({ follow }) => follow.map(({ name }) => name));
  const ids = names.map((name) => `to_regclass(${literal(name)})`);
  return `(select string_agg(concat_ws(' ', a.attrelid, a.attnum, a.attname, a.atttypid), ', ' order by a.attrelid, a.attnum)
    from pg_catalog.pg_attribute as a where a.attrelid in (${ids.join(', ')}) and a.attnum > 0 and not a.attisdropped)`;
}

/** The entries of an answer; keys that have a row are taken out of `gone`. Rows of a reader are next to each other. */
export function* entriesOf(
  readers: readonly Reader[],
  { rows }: Answer,
  gone: Set<string>,
): Generator<readonly [string, unknown]> {
  const touched = new Set(gone);
  for (const { options, tag } of readers) {
    const reader = rowReader(options);
    const found = rowsOfKeys(rows.slice(1), touched);
    const own = readers.length === 1 ? found : found.filter(([key]) => key!.startsWith(tag));
    for (const entry of reader.take(own)) {
      gone.delete(entry[0]);
      yield entry;
    }
    for (const entry of reader.finish()) {
      gone.delete(entry[0]);
      yield entry;
    }
  }
}
