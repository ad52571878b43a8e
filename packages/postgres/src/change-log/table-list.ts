/** The tables that are to be followed, as they are written on a command line. */

export interface FollowedTable {
  /** As PostgreSQL reads it: `public.tools`, `"My Schema"."Tools"`. */
  readonly name: string;
  /** Columns logged beside the key. */
  readonly columns: readonly string[];
}

const NAME = /"(?:[^"]|"")+"|[^\s",.()]+/;
const COLUMNS = `(?:${NAME.source})(?:\\s*,\\s*(?:${NAME.source}))*`;
const TABLE = new RegExp(
  `\\s*((?:${NAME.source})(?:\\.(?:${NAME.source}))?)\\s*(?:\\(\\s*(${COLUMNS})\\s*\\))?\\s*(?:,(?!$)|$)`,
  'y',
);

/**
 * `public.tools,public.agent_tools(agent_id)`; `undefined`: it is no such list. Names in double quotes may hold
 * anything, as in SQL.
 */
export function parseTables(text: string): FollowedTable[] | undefined {
  const tables: FollowedTable[] = [];
  const list = new RegExp(TABLE);
  do {
    const [, name, columns = ''] = list.exec(text) ?? [];
    if (name === undefined) return undefined;
    tables.push({ name, columns: [...columns.matchAll(new RegExp(NAME, 'g'))].map(([column]) => plainName(column)) });
  } while (list.lastIndex < text.length);
  return tables;
}

/** What PostgreSQL makes of a name: without its quotes, or in lower case. */
function plainName(name: string): string {
  if (name.startsWith('"')) return name.slice(1, -1).replaceAll('""', '"');
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
