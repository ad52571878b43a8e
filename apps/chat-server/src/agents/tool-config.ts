/** The row of a tool, and the schema that decides whether it may go live. */
import { z } from 'zod';
import { checkArgsSchema } from './args-schema.ts';
import { mergePatch } from './merge-patch.ts';
import { findToolKind, toolKindNames } from './tool-kinds/index.ts';

export const toolNamePattern: RegExp = /^[a-zA-Z0-9_-]{1,64}$/;

const objectSchema: z.ZodType<Readonly<Record<string, unknown>>, unknown> = z.record(z.string(), z.unknown());

/** A tool as it stands in the tables, for one agent. */
export interface ToolRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly configOverride: Readonly<Record<string, unknown>>;
  readonly argsSchema: Readonly<Record<string, unknown>>;
}

const toolRowSchema: z.ZodType<ToolRow, unknown> = z.object({
  id: z.string().min(1),
  name: z.string().regex(toolNamePattern),
  kind: z.string(),
  description: z.string(),
  config: objectSchema,
  configOverride: objectSchema,
  argsSchema: objectSchema,
});

/** A tool, checked: `config` has the agent's override in it, and defaults for what the row leaves out. */
export interface ToolConfig {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly description: string;
  readonly config: unknown;
  readonly argsSchema: Readonly<Record<string, unknown>>;
}

const toolConfigSchema: z.ZodType<ToolConfig, unknown> = toolRowSchema.transform((row, context): ToolConfig => {
  const { config, problems } = resolveConfig(row);
  for (const problem of problems) context.addIssue(`tool "${row.name}": ${problem}`);
  const { id, name, kind, description, argsSchema } = row;
  return deepFreeze({ id, name, kind, description, config, argsSchema });
});

const MAX_KNOWN_TOOLS = 20_000;
const knownTools = new Map<string, ToolConfig>();

/**
 * A tool that many agents have, or that is as it was at the last refresh, is checked once and held once: checking is
 * by far the dearest part of a refresh.
 */
const knownToolSchema: z.ZodType<ToolConfig, unknown> = z.unknown().transform((row, context): ToolConfig => {
  const text = JSON.stringify(row);
  const known = knownTools.get(text);
  if (known !== undefined) return known;
  const { success, data, error } = toolConfigSchema.safeParse(row);
  if (!success) {
    for (const { path, message } of error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  }
  if (knownTools.size >= MAX_KNOWN_TOOLS) knownTools.clear();
  knownTools.set(text, data);
  return data;
});

/** The tools of one agent, in order. */
export const toolsOfAgentSchema: z.ZodType<readonly ToolConfig[], unknown> = z
  .array(knownToolSchema)
  .superRefine((tools, context) => {
    const names = tools.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) context.addIssue(`tool "${twice}": expected names to be unique within an agent`);
  });

/** `config` under its override, by the rules of its kind, and everything that is wrong with the row. */
export function resolveConfig(row: Omit<ToolRow, 'id'>): { config: unknown; problems: string[] } {
  const kind = findToolKind(row.kind);
  if (kind === undefined) {
    return { config: row.config, problems: [`kind: expected ${toolKindNames.join(' or ')}, got "${row.kind}"`] };
  }
  const problems = checkArgsSchema(row.argsSchema);
  for (const member of Object.keys(row.configOverride)) {
    if (kind.overridable.includes(member)) continue;
    problems.push(`config_override: expected only ${kind.overridable.join(', ')}, got "${member}"`);
  }
  const parsed = kind.configSchema.safeParse(mergePatch(row.config, row.configOverride));
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${['config', ...path].join('.')}: ${message}`));
    return { config: row.config, problems };
  }
  if (problems.length === 0) problems.push(...(kind.problems?.(parsed.data, row.argsSchema) ?? []));
  return { config: parsed.data, problems };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
