/** What a command line says, checked. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type FollowedTable, parseTables } from '../change-log/table-list.ts';

export type Command =
  | { readonly name: 'help' }
  | {
      readonly name: 'install';
      readonly tables: readonly FollowedTable[];
      readonly reader: string | undefined;
      readonly apply: boolean;
    }
  | { readonly name: 'uninstall'; readonly tables: readonly FollowedTable[]; readonly apply: boolean }
  | { readonly name: 'status' }
  | { readonly name: 'prune'; readonly keep: string };

export interface Request {
  readonly command: Command;
  readonly url: string | undefined;
}

/** What the user can mend; its message is one line. */
export class UsageError extends Error {}

export const HELP = `Usage: evercache-postgres <command> [options]

The change log: what is written to your tables, so that caches read what has changed and nothing else.

  install --tables <list> [--reader <role>] [--apply]
                      follows these tables: public.tools,public.agent_tools(agent_id). Columns in parentheses are
                      logged beside the primary key. Running it again adds tables and mends what is missing.
                      --reader: a role that may read the log and prune it, nothing else
  uninstall [--tables <list>] [--apply]
                      ends the following of these tables; without --tables, removes everything
  status              what is followed and logged; exit code 1 if something keeps changes from being logged
  prune [--keep 24h]  removes what is older (s, m, h, d)

  --apply             runs the SQL in one transaction; without it, the SQL is printed and nothing is done
  --url <url>         the database; default: the environment variable DATABASE_URL
  --help              this text
`;

const OPTIONS = {
  tables: { type: 'string' },
  reader: { type: 'string' },
  apply: { type: 'boolean' },
  keep: { type: 'string' },
  url: { type: 'string' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

const OPTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  install: ['tables', 'reader', 'apply', 'url'],
  uninstall: ['tables', 'apply', 'url'],
  status: ['url'],
  prune: ['keep', 'url'],
};

const UNITS: Readonly<Record<string, string>> = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' };

/** @throws UsageError */
export function parseCommand(args: readonly string[]): Request {
  const { values, positionals } = parse(args);
  const [name, extra] = positionals;
  if (values.help === true || (name === undefined && args.length === 0)) {
    return { command: { name: 'help' }, url: undefined };
  }
  const known = Object.keys(OPTIONS_OF).join(', ');
  if (name === undefined) throw new UsageError(`expected a command, one of ${known}`);
  const options = OPTIONS_OF[name];
  if (options === undefined) throw new UsageError(`unknown command "${name}", expected one of ${known}`);
  if (extra !== undefined) throw new UsageError(`expected nothing after ${name}, got "${extra}"`);
  const stray = Object.keys(values).find((option) => !options.includes(option));
  if (stray !== undefined) throw new UsageError(`${name} has no option --${stray}`);
  return { command: toCommand(name, values), url: values.url };
}

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Node adds advice on how to pass it all the same.
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

function toCommand(name: string, { tables, reader, apply = false, keep = '24h' }: Values): Command {
  switch (name) {
    case 'install': {
      if (tables === undefined && reader === undefined) throw new UsageError('install: expected --tables <list>');
      if (reader === '') throw new UsageError('--reader: expected the name of a role, got an empty text');
      return { name, tables: tableList(tables), reader, apply };
    }
    case 'uninstall':
      return { name, tables: tableList(tables), apply };
    case 'prune':
      return { name, keep: interval(keep) };
    default:
      return { name: 'status' };
  }
}

function tableList(text: string | undefined): FollowedTable[] {
  const tables = text === undefined ? [] : parseTables(text);
  if (tables === undefined) {
    throw new UsageError(`--tables: expected a list like public.tools,public.agent_tools(agent_id), got "${text}"`);
  }
  return tables;
}

function interval(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (amount === undefined) throw new UsageError(`--keep: expected a duration like 24h, got "${text}"`);
  return `${amount} ${UNITS[unit]}`;
}
