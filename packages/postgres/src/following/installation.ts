/** Whether the change log is there, and holds what is to be followed. */
import type { Lease, Statement } from '../database.ts';
import { arrayLiteral } from '../statements.ts';
import type { FollowedTable } from './follow-options.ts';

const VERSION = 1;

/** The names of the followed tables as the log has them, in the order of `follow`; or why there is nothing to follow. */
export type Installation = { readonly tables: readonly string[] } | { readonly missing: string };

export async function lookAtInstallation(lease: Lease, follow: readonly FollowedTable[]): Promise<Installation> {
  // A statement that names a table which is not there would end the transaction, so the catalog is asked first.
  const { rows } = await lease.run(MAY_READ);
  const mayRead = rows[0]?.[0];
  if (mayRead === undefined || mayRead === null) return { missing: 'the change log is not installed' };
  if (mayRead !== 'true') return { missing: 'this role may not read the change log' };
  return judge(await lease.run(tablesStatement(follow)).then((answer) => JSON.parse(answer.rows[0]![0]!)), follow);
}

const MAY_READ: Statement = {
  text: `select (bool_and(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))
    and has_function_privilege('pg_control_system()', 'execute'))::text
  from pg_catalog.pg_namespace as n join pg_catalog.pg_class as c on c.relnamespace = n.oid
  where n.nspname = 'evercache' and c.relname in ('meta', 'change_log', 'tables') having count(*) = 3`,
  values: [],
};

interface Found {
  readonly version: number | null;
  readonly tables: readonly {
    /** null: there is no such table. */
    readonly name: string | null;
    /** null: it is not followed. */
    readonly columns: readonly string[] | null;
    readonly triggers: number;
  }[];
}

function tablesStatement(follow: readonly FollowedTable[]): Statement {
  return {
    text: `select json_build_object('version', (select max(version) from evercache.meta), 'tables', (
    select json_agg(json_build_object('name', l.name, 'columns', t.columns, 'triggers', (
      select count(*) from pg_catalog.pg_trigger as g
      where g.tgrelid = l.id and g.tgname like 'evercache\\_%' and g.tgenabled in ('A', 'O'))) order by l.place)
    from (select f.place, c.oid as id, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
      from unnest($1::text::text[]) with ordinality as f(name, place)
      left join pg_catalog.pg_class as c on c.oid = to_regclass(f.name)
      left join pg_catalog.pg_namespace as n on n.oid = c.relnamespace) as l
    left join evercache.tables as t on t.tbl = l.name))::text`,
    values: [arrayLiteral(follow.map(({ name }) => name))],
  };
}

function judge({ version, tables }: Found, follow: readonly FollowedTable[]): Installation {
  if (version !== VERSION) {
    return { missing: `the change log has version ${version ?? 'none'}, and version ${VERSION} is understood` };
  }
  const names: string[] = [];
  for (const [index, { name, columns, triggers }] of tables.entries()) {
    const { name: asked, keys } = follow[index]!;
    if (name === null) return { missing: `table ${asked} does not exist` };
    if (columns === null) return { missing: `table ${name} is not followed by the change log` };
    // One each for INSERT, UPDATE, DELETE and TRUNCATE.
    if (triggers < 4) return { missing: `triggers of the change log on table ${name} are missing or off` };
    if (typeof keys === 'object' && 'column' in keys && !columns.includes(keys.column)) {
      return { missing: `column "${keys.column}" of table ${name} is not logged` };
    }
    names.push(name);
  }
  return { tables: names };
}
