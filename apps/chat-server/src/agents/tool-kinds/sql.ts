/**
 * `sql`: a query that an admin wrote. The model supplies values, which are bound; it never supplies SQL. The statement
 * runs behind the wall of migration 0003: with the rights of the role `chat_tools`, which may only read what it was
 * granted, in a read-only transaction with a time limit. Whose rows it reads is up to the statement, which binds
 * `ctx.userId` for that.
 */
import { z } from 'zod';
import type { Queryable } from '../../database.ts';
import { DatabaseUnavailable } from '../../database-unavailable.ts';
import { ToolError } from '../tool-error.ts';
import { argument, declares, type ToolCall, type ToolKind } from './tool-kind.ts';

/** How a value is cast in the statement, by the type that the row gives it. */
const casts = {
  text: 'text',
  integer: 'bigint',
  number: 'numeric',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamptz',
  uuid: 'uuid',
} as const;

type Origin = 'ctx.userId' | `args.${string}`;

export interface SqlConfig {
  /** One SELECT, without a semicolon; `$1` is the first of `params`. */
  readonly statement: string;
  readonly params: readonly { readonly from: Origin; readonly type: keyof typeof casts }[];
  /** Default 100. */
  readonly maxRows: number;
  /** Default 2000. */
  readonly timeoutMs: number;
}

const parameterSchema: z.ZodType<SqlConfig['params'][number]> = z.strictObject({
  from: z.union([z.literal('ctx.userId'), z.templateLiteral(['args.', z.string().min(1)])]),
  type: z.enum(Object.keys(casts) as (keyof typeof casts)[]),
});

const configSchema: z.ZodType<SqlConfig, unknown> = z.strictObject({
  statement: z.string().min(1).max(10_000),
  params: z.array(parameterSchema).max(8).default([]),
  maxRows: z.int().min(1).max(1000).default(100),
  timeoutMs: z.int().min(10).max(10_000).default(2000),
});

export const sqlKind: ToolKind<SqlConfig> = {
  configSchema,
  overridable: ['maxRows', 'timeoutMs'],
  problems({ statement, params }, argsSchema) {
    const problems = [];
    for (const { from } of params) {
      const name = argumentName(from);
      if (name !== undefined && !declares(argsSchema, name)) {
        problems.push(`config.params: args_schema has no property "${name}"`);
      }
    }
    const used = new Set([...statement.matchAll(placeholder)].map(([, number]) => Number(number)));
    for (const number of used) {
      if (number < 1 || number > params.length) problems.push(`config.statement: $${number} is not in config.params`);
    }
    for (const number of params.keys()) {
      if (!used.has(number + 1)) problems.push(`config.params: $${number + 1} is not used in config.statement`);
    }
    const [, forbidden] = FORBIDDEN_CALL.exec(statement) ?? [];
    if (forbidden !== undefined)
      problems.push(`config.statement: expected a query of tables, got a call of ${forbidden}`);
    if (statement.replace(placeholder, '').includes('$')) {
      problems.push('config.statement: expected "$" in placeholders such as $1 only; write texts as quoted strings');
    }
    return problems;
  },
  async check(config, database) {
    try {
      await database.restricted({ timeoutMs: config.timeoutMs }, (transaction) => {
        return runStatement(transaction, config, { values: config.params.map(() => null), maxRows: 0 });
      });
      return [];
    } catch (error) {
      if (error instanceof DatabaseUnavailable) throw error;
      return [`config.statement: ${error instanceof Error ? error.message : 'refused by the database'}`];
    }
  },
  timeoutMs: ({ timeoutMs }) => timeoutMs,
  async run(call) {
    const { config, database, signal } = call;
    const values = config.params.map(({ from }) => asText(resolveValue(from, call)));
    // One row more than wanted tells whether there are more.
    const rows = await database.restricted({ timeoutMs: config.timeoutMs, signal }, (transaction) => {
      return runStatement(transaction, config, { values, maxRows: config.maxRows + 1 });
    });
    return { rows: rows.slice(0, config.maxRows), more: rows.length > config.maxRows };
  },
};

const placeholder = /\$(\d+)/g;

/**
 * Functions that change settings, run SQL of their own, wait, or look at the server. The wall in the database stops
 * them when they do harm; this tells the admin sooner.
 */
const FORBIDDEN_CALL =
  /\b(set_config|ts_stat|ts_rewrite|dblink\w*|lo_\w+|pg_\w+|(?:query|table|cursor|schema|database)_to_xml\w*)"?\s*\(/i;

async function runStatement(
  transaction: Queryable,
  { statement, params }: SqlConfig,
  { values, maxRows }: { values: readonly (string | null)[]; maxRows: number },
): Promise<unknown[]> {
  const cast = statement.replace(placeholder, (_, number: string) => {
    const parameter = params[Number(number) - 1];
    return parameter === undefined ? 'null' : `($${number}::${casts[parameter.type]})`;
  });
  const rows = await transaction.query<{ item: unknown }>(
    'select item from run_tool_statement($1, $2::text[], $3) as item',
    [cast, values, maxRows],
  );
  return rows.map(({ item }) => item);
}

function resolveValue(from: Origin, { args, context }: ToolCall<SqlConfig>): unknown {
  const name = argumentName(from);
  if (name !== undefined) return argument(args, name);
  // An empty user id would read what belongs to nobody, or to everybody: fail closed.
  if (context.userId === '') throw new ToolError('This tool needs a user.');
  return context.userId;
}

function argumentName(from: Origin): string | undefined {
  return from === 'ctx.userId' ? undefined : from.slice('args.'.length);
}

function asText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
