/** Makes a tool that the AI SDK can call out of a row. Nothing of a user is in it: who calls comes with each call. */
import { dynamicTool, jsonSchema, type Tool } from 'ai';
import { z } from 'zod';
import type { Database } from '../database.ts';
import { sqlState } from '../database-unavailable.ts';
import type { Log } from '../log.ts';
import { asModelSchema, type CheckedArgs, type createArgsChecks } from './args-schema.ts';
import type { ToolConfig } from './tool-config.ts';
import { ToolError } from './tool-error.ts';
import { findToolKind } from './tool-kinds/index.ts';
import type { ToolContext, ToolKind } from './tool-kinds/tool-kind.ts';

export interface ToolServices {
  readonly database: Database;
  readonly log: Log;
}

/** Longest answer of a tool, in bytes of JSON. A model pays for each of them, in money and in attention. */
const MAX_OUTPUT_BYTES = 32_768;
/** A kind is told to stop at its limit; one that does not listen is left behind this much later. */
const GRACE_MS = 250;

/** Zod, not a bare JSON schema: without a user the call fails instead of running for nobody. */
const contextSchema: z.ZodType<ToolContext> = z.object({ userId: z.string().min(1), sessionId: z.string().min(1) });

export function compileTool(
  row: ToolConfig,
  createCheck: ReturnType<typeof createArgsChecks>,
  services: ToolServices,
): Tool {
  const kind = findToolKind(row.kind);
  if (kind === undefined) throw new TypeError(`tool "${row.name}": there is no kind "${row.kind}"`);
  let check: ((args: unknown) => CheckedArgs) | undefined;
  return dynamicTool({
    description: row.description,
    inputSchema: jsonSchema<Record<string, unknown>>(asModelSchema(row.argsSchema), {
      validate: (value) => {
        try {
          check ??= createCheck(row.argsSchema); // on the first call: most tools of an agent are never called
        } catch {
          services.log.warn({ tool: row.name }, 'the args_schema of a tool cannot be compiled');
          return { success: false, error: new ToolError('The tool is out of order.') };
        }
        const checked = check(value);
        if ('args' in checked) return { success: true, value: checked.args };
        return { success: false, error: new ToolError(checked.problem) };
      },
    }),
    contextSchema,
    execute: async (args, { context, abortSignal }) => {
      const call = { row, kind, args: args as Record<string, unknown>, context: context as ToolContext, abortSignal };
      return truncate(await runTool(call, services));
    },
  });
}

interface Run {
  readonly row: ToolConfig;
  readonly kind: ToolKind;
  readonly args: Record<string, unknown>;
  readonly context: ToolContext;
  readonly abortSignal: AbortSignal | undefined;
}

async function runTool(
  { row, kind, args, context, abortSignal }: Run,
  { database, log }: ToolServices,
): Promise<unknown> {
  abortSignal?.throwIfAborted();
  const limit = kind.timeoutMs(row.config);
  const stop = new AbortController();
  let giveUp: (reason: unknown) => void = () => {};
  const late = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const tooSlow = new ToolError(`The tool did not answer within ${limit} ms.`);
  const timers = [setTimeout(() => stop.abort(tooSlow), limit), setTimeout(() => giveUp(tooSlow), limit + GRACE_MS)];
  const leave = (): void => {
    stop.abort(abortSignal?.reason);
    giveUp(abortSignal?.reason);
  };
  abortSignal?.addEventListener('abort', leave, { once: true });
  try {
    const answer = kind.run({ config: row.config, args, context, database, signal: stop.signal });
    return await Promise.race([answer, late]);
  } catch (error) {
    abortSignal?.throwIfAborted();
    if (error instanceof ToolError) throw error;
    // What went wrong inside may name tables, values, hosts: the model hears that it failed, the log hears what kind.
    log.warn({ tool: row.name, error: nameOf(error), sqlState: sqlState(error) }, 'a tool failed');
    throw new ToolError('The tool failed.');
  } finally {
    for (const timer of timers) clearTimeout(timer);
    abortSignal?.removeEventListener('abort', leave);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** The answer as it is, or the beginning of its JSON with a note if it is too long. */
function truncate(output: unknown): unknown {
  const text = JSON.stringify(output) ?? 'null';
  const size = Buffer.byteLength(text);
  if (size <= MAX_OUTPUT_BYTES) return output ?? null;
  // A character cut in the middle decodes to U+FFFD, which is dropped.
  const start = Buffer.from(text)
    .subarray(0, MAX_OUTPUT_BYTES)
    .toString()
    .replace(/\uFFFD+$/, '');
  return `${start} [truncated: the first ${MAX_OUTPUT_BYTES} of ${size} bytes]`;
}
