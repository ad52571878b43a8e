/** Whether the change log is there, and holds what is to be followed. */
import type { Lease, Statement } from '../database.ts';
import { arrayLiteral } from '../statements.ts';
import type { FollowedTable } from './follow-options.ts';

const VERSION = 1;

export type Installation = (
  | {
      /** The names of the followed tables as the log has them, in the order of `follow`. */
      readonly tables: readonly string[];
    }
  | {
      /** Why there is nothing to follow. */
      readonly missing: string;
    }
) & {
  /** Of the server that has the log; `undefined`: there is none that may be read. */
  readonly standby?: boolean;
};

export async function lookAtInstallation(lease: Lease, follow: readonly FollowedTable[]): Promise<Installation> {
  // A statement that names a table which is not there would end the transaction, so the catalog is asked first.
  const { rows } = await lease.run(MAY_READ);
  const mayRead = rows[0]?.[0];
  if (mayRead === undefined || mayRead === null) return { missing: 'the change log is not installed' };
  if (mayRead === 'odd')
    return { missing: 'the tables in schema evercache are not those of this change log: install it again' };
  if (mayRead !== 'yes') return { missing: 'this role may not read the change log' };
  const found = JSON.parse((await lease.run(tablesStatement(follow))).rows[0]![0]!) as Found;
  return { ...judge(found, follow), standby: found.standby };
}

/** What is read of the log, and of which type it is. */
const COLUMNS = Object.entries({
  meta: { version: 'int4', floor: 'xid8', installed_at: 'timestamptz' },
  change_log: { xid: 'xid8', tbl: 'text', key: 'text', columns: 'jsonb', op: '"char"', at: 'timestamptz' },
  tables: { tbl: 'text', key_columns: '_text', columns: '_text', types: '_regtype' },
}).flatMap(([table, columns]) => Object.entries(columns).map(([name, type]) => [table, name, `pg_catalog.${type}`]));

/**
 * What is there has to be plain tables of one owner, with columns of PostgreSQL's own types: whoever may create schemas
 * could have put others there, whose functions (of a view, a policy, a cast) we would call with our rights.
 */
const MAY_READ: Statement = {
  text: `with log as (
    select c.oid, c.relname, c.relkind = 'r' and not c.relrowsecurity and c.relowner = n.nspowner as is_plain,
      has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as may_read
    from pg_catalog.pg_namespace as n join pg_catalog.pg_class as c on c.relnamespace = n.oid
    where n.nspname = 'evercache' and c.relname in ('meta', 'change_log', 'tables'))
  select case
    when not bool_and(is_plain) or exists (
      select from (values ${COLUMNS.map((column) => `(${column.map((text) => `'${text}'`).join(', ')})`).join(', ')})
        as wanted(tbl, name, type)
      where not exists (
        select from log as l join pg_catalog.pg_attribute as a on a.attrelid = l.oid
        where l.relname = wanted.tbl and a.attname = wanted.name and a.atttypid = wanted.type::regtype
          and a.attgenerated = '')) then 'odd'
    when bool_and(may_read) and has_function_privilege('pg_control_system()', 'execute') then 'yes'
    else 'no' end
  from log having count(*) = 3`,
  values: [],
};

interface Found {
  readonly version: number | null;
  readonly standby: boolean;
  readonly tables: readonly {
    /** As the log has it, where it is followed; null: there is no such table. */
    readonly name: string | null;
    /** null: it is not followed. */
    readonly columns: readonly string[] | null;
    /** How many of its triggers are on, for every session, and how many of these log under its name. */
    readonly triggers: number;
    readonly named: number;
    /** What is logged of its columns has the types that they had when it was followed. */
    readonly sameTypes: boolean | null;
    /** Its rows are written to by statements that name another table. */
    readonly related: boolean;
    readonly subscribed: boolean;
    /** The owner of the log may do all that the owner of the table may. */
    readonly trusted: boolean;
  }[];
}

/**
 * By the parts of a name and not by `quote_ident`: the session may be one that quotes all names. Readers may not call
 * what the log calls for itself, so types are classed here as by `evercache.types_of`.
 */
function tablesStatement(follow: readonly FollowedTable[]): Statement {
  return {
    text: `select json_build_object('version', (select max(version) from evercache.meta),
    'standby', pg_is_in_recovery(), 'tables', (
    select json_agg(json_build_object('name', coalesce(t.tbl, l.name), 'columns', t.columns,
      'triggers', g.switched_on, 'named', g.named,
      'sameTypes', t.types = (
        select array_agg(case when a.atttypid in (21, 23) then 20 when a.atttypid = 1043 then 25 else a.atttypid end::regtype
          order by w.place)
        from unnest(t.key_columns || t.columns) with ordinality as w(name, place)
          join pg_catalog.pg_attribute as a on a.attrelid = l.id and a.attname = w.name),
      'related', exists (select from pg_catalog.pg_inherits where l.id in (inhrelid, inhparent)),
      'subscribed', ${subscribedSql('l.id')},
      'trusted', pg_has_role((select nspowner from pg_catalog.pg_namespace where nspname = 'evercache'), l.owner, 'member')
    ) order by l.place)
    from (select f.place, c.oid as id, c.relowner as owner, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
        array[n.nspname, c.relname]::text[] as parts
      from unnest($1::text::text[]) with ordinality as f(name, place)
      left join pg_catalog.pg_class as c on c.oid = to_regclass(f.name)
      left join pg_catalog.pg_namespace as n on n.oid = c.relnamespace) as l
    left join evercache.tables as t on parse_ident(t.tbl) = l.parts
    cross join lateral (
      select count(*) as switched_on,
        count(*) filter (where tgargs = convert_to(t.tbl, getdatabaseencoding()) || decode('00', 'hex')) as named
      from pg_catalog.pg_trigger
      where tgrelid = l.id and tgname like 'evercache\\_%' and tgenabled = 'A') as g))::text`,
    values: [arrayLiteral(follow.map(({ name }) => name))],
  };
}

/** SQL: whether a subscription writes to it now. `table`: SQL of its oid. */
export function subscribedSql(table: string): string {
  return `exists (select from pg_catalog.pg_subscription_rel as r join pg_catalog.pg_subscription as s on s.oid = r.srsubid
      where r.srrelid = ${table} and s.subenabled)`;
}

/** One each for INSERT, UPDATE, DELETE and TRUNCATE. */
const TRIGGERS = 4;

function judge({ version, tables }: Found, follow: readonly FollowedTable[]): Installation {
  if (version !== VERSION) {
    return { missing: `the change log has version ${version ?? 'none'}, and version ${VERSION} is understood` };
  }
  const names: string[] = [];
  for (const [index, { name, columns, ...found }] of tables.entries()) {
    const { name: asked, keys } = follow[index]!;
    if (name === null) return { missing: `table ${asked} does not exist` };
    if (columns === null) return { missing: `table ${name} is not followed by the change log` };
    const missing = lacks(name, found);
    if (missing !== undefined) return { missing };
    if (typeof keys === 'object' && 'column' in keys && !columns.includes(keys.column)) {
      return { missing: `column "${keys.column}" of table ${name} is not logged` };
    }
    names.push(name);
  }
  return { tables: names };
}

/** What keeps changes of a table that is followed from being logged. */
function lacks(name: string, found: Omit<Found['tables'][number], 'name' | 'columns'>): string | undefined {
  const { triggers, named, sameTypes, related, subscribed, trusted } = found;
  if (!trusted)
    return `the change log belongs to a role that does not own table ${name}: uninstall it, and install it as one that does`;
  if (triggers < TRIGGERS) return `triggers of the change log on table ${name} are missing or off`;
  if (named < TRIGGERS)
    return `table ${name} is logged under another name, or by triggers of before: it has to be installed again`;
  if (sameTypes !== true)
    return `columns of table ${name} are not those it was followed with: it has to be installed again`;
  if (related) return `table ${name} is a partition, or shares its rows with another table by inheritance`;
  if (subscribed) return `table ${name} is written to by a subscription, which fires no triggers of statements`;
  return undefined;
}
