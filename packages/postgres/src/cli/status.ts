/** What `status` prints. */
import type { Connection } from './connection.ts';

interface LogState {
  readonly version: number;
  readonly floor: string;
  readonly rows: number;
  readonly size: string;
  readonly oldest: string | null;
  readonly tables: readonly { tbl: string; key_columns: string[]; columns: string[] }[] | null;
  readonly problems: readonly { tbl: string | null; problem: string }[] | null;
}

const STATE = `select json_build_object(
  'version', (select version from evercache.meta),
  'floor', (select floor::text from evercache.meta),
  'rows', (select count(*) from evercache.change_log),
  'size', pg_size_pretty(pg_total_relation_size('evercache.change_log')),
  'oldest', (select date_trunc('second', min(at)) at time zone 'UTC' from evercache.change_log),
  'tables', (select json_agg(t order by tbl) from evercache.tables t),
  'problems', (select json_agg(p order by tbl, problem) from evercache.problems() p)
) as state`;

/** `undefined`: nothing is installed. */
export async function readStatus(connection: Connection): Promise<LogState | undefined> {
  const { rows } = await connection.query("select to_regclass('evercache.meta') is not null as installed");
  if (rows[0]?.installed !== true) return undefined;
  return (await connection.query(STATE)).rows[0]?.state as LogState;
}

export function describeStatus({ version, floor, rows, size, oldest, tables, problems }: LogState): string {
  return [
    `change log version ${version}, floor ${floor}`,
    `${rows} rows, ${size}${oldest === null ? '' : `, the oldest of ${oldest}Z`}`,
    ...(tables ?? []).map(({ tbl, key_columns: key, columns }) => {
      return `follows ${tbl} by ${key.join(', ')}${columns.length > 0 ? ` and logs ${columns.join(', ')}` : ''}`;
    }),
    ...(problems ?? []).map(({ tbl, problem }) => `problem: ${tbl === null ? '' : `${tbl} `}${problem}`),
    '',
  ].join('\n');
}
