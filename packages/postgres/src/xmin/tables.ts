/** Whether the rows of the tables tell by which transactions they were written, and how their keys are read. */
import type { PostgresClient } from '../clients.ts';
import type { Lease, Statement } from '../database.ts';
import { resolveOptions } from '../options.ts';
import type { Column } from '../shape.ts';
import { ShapeReader } from '../shape-reader.ts';
import { arrayLiteral, keyText, primaryKeySql, quoted, settingsOf } from '../statements.ts';

/** A table as the options name it. */
export interface NamedTable {
  readonly name: string;
  /** The columns of the key. @default the primary key */
  readonly key?: readonly string[] | undefined;
}

export interface ScannedTable {
  readonly name: string;
  readonly key: readonly Column[];
  /** SQL of the key of a row `c`. */
  readonly keySql: string;
  /** Conditions that have to stand where keys are read. */
  readonly settings: readonly string[];
}

/** The tables in their order; or why they cannot be scanned. */
export type Scannable = { readonly tables: readonly ScannedTable[] } | { readonly missing: string };

export class TablesToScan {
  readonly #client: PostgresClient;
  readonly #named: readonly NamedTable[];
  readonly #shapes = new Map<string, ShapeReader>();

  constructor(client: PostgresClient, named: readonly NamedTable[]) {
    this.#client = client;
    this.#named = named;
  }

  async lookBy(lease: Lease): Promise<Scannable> {
    const { rows } = await lease.run(factsOf(this.#named));
    const tables: ScannedTable[] = [];
    for (const [index, named] of this.#named.entries()) {
      const { allowed, name, ordinary, primaryKey } = JSON.parse(rows[index]![0]!) as Facts;
      if (!allowed) return { missing: 'this role may not call pg_control_system()' };
      if (name === null) return { missing: `table ${named.name} does not exist` };
      if (!ordinary) return { missing: `${name} is no ordinary table: a view, partitioned, or with others below it` };
      const names = named.key ?? primaryKey ?? [];
      if (names.length === 0) return { missing: `table ${name} has no primary key` };
      const { columns, settings } = await this.#shapeOf(name, names).readBy(lease);
      const key = names.map((column) => columns.find((known) => known.name === column)!);
      const texts = key.map((column) => `(${column.sql(`c.${quoted(column.name)}`)})`);
      tables.push({ name, key, keySql: keyText(texts), settings: settingsOf({ settings }) });
    }
    return { tables };
  }

  #shapeOf(table: string, key: readonly string[]): ShapeReader {
    const select = `select ${key.map(quoted).join(', ')} from ${table}`;
    const known = this.#shapes.get(select);
    if (known !== undefined) return known;
    const made = new ShapeReader(resolveOptions({ client: this.#client, select, key: key[0]! }));
    this.#shapes.set(select, made);
    return made;
  }
}

interface Facts {
  readonly allowed: boolean;
  /** null: there is no such table. */
  readonly name: string | null;
  readonly ordinary: boolean;
  readonly primaryKey: readonly string[] | null;
}

/**
 * Partitions and inherited tables come and go with rows that nobody writes; other access methods than the heap need not
 * keep transaction ids.
 */
function factsOf(tables: readonly NamedTable[]): Statement {
  return {
    text: `select json_build_object(
    'allowed', has_function_privilege('pg_control_system()', 'execute'),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    'ordinary', c.relkind = 'r' and not c.relhassubclass and m.amname = 'heap',
    'primaryKey', ${primaryKeySql('c.oid')})::text
  from unnest($1::text::text[]) with ordinality as f(name, place)
  left join pg_catalog.pg_class as c on c.oid = to_regclass(f.name)
  left join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  left join pg_catalog.pg_am as m on m.oid = c.relam
  order by f.place`,
    values: [arrayLiteral(tables.map(({ name }) => name))],
  };
}
