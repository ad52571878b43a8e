/** What a kind of tool is. A row of `tools` is data for one of them; no row ever brings code. */
import type { z } from 'zod';
import type { Database } from '../../database.ts';
import type { ArgsSchema } from '../args-schema.ts';

/** Who calls. Comes from the request, never from a row or from the model. (A type alias: the AI SDK needs one.) */
export type ToolContext = { userId: string; sessionId: string };

export interface ToolCall<Config> {
  readonly config: Config;
  /** Valid by the tool's args_schema. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: ToolContext;
  readonly database: Database;
  /** Aborted at the tool's time limit, and when the caller leaves. */
  readonly signal: AbortSignal;
}

export interface ToolKind<Config = unknown> {
  /** What `config` must look like, after `config_override`. */
  readonly configSchema: z.ZodType<Config>;
  /** The members of `config` that a `config_override` may change. */
  readonly overridable: readonly string[];
  /** What else can be seen in the row alone; checked on every load, so it must be cheap. */
  problems?(config: Config, argsSchema: ArgsSchema): string[];
  /** What only the database can tell; checked when a row is written. */
  check?(config: Config, database: Database): Promise<string[]>;
  /** How long a call may take, in milliseconds. */
  timeoutMs(config: Config): number;
  /** Answers plain data. Throws ToolError with a message for the model; anything else is reported as "failed". */
  run(call: ToolCall<Config>): Promise<unknown>;
}

/** The value of an argument, `undefined` where there is none. */
export function argument(args: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(args, name) ? args[name] : undefined;
}

/** Whether the schema knows an argument of this name. */
export function declares(argsSchema: ArgsSchema, name: string): boolean {
  const { properties } = argsSchema;
  return typeof properties === 'object' && properties !== null && Object.hasOwn(properties, name);
}
