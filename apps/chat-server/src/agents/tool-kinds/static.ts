/** `static`: answers what its row says, or the part of it that an argument names. Needs nothing but memory. */
import { z } from 'zod';
import { argument, declares, type ToolKind } from './tool-kind.ts';

export interface StaticConfig {
  /** The answer. */
  readonly value: unknown;
  /** Name of the argument that picks one member of `value`. */
  readonly pick?: string | undefined;
}

const configSchema: z.ZodType<StaticConfig> = z.strictObject({
  value: z.json(),
  pick: z.string().min(1).optional(),
});

export const staticKind: ToolKind<StaticConfig> = {
  configSchema,
  overridable: ['value'],
  problems({ value, pick }, argsSchema) {
    if (pick === undefined) return [];
    const problems = [];
    if (!isObject(value)) problems.push('config.value: expected an object, because config.pick chooses a member of it');
    if (!declares(argsSchema, pick)) problems.push(`config.pick: args_schema has no property "${pick}"`);
    return problems;
  },
  timeoutMs: () => 1000,
  async run({ config: { value, pick }, args }) {
    if (pick === undefined) return value;
    const choice = argument(args, pick);
    if (isObject(value) && typeof choice === 'string' && Object.hasOwn(value, choice)) return value[choice];
    return { error: `no such ${pick}`, known: isObject(value) ? Object.keys(value) : [] };
  },
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
