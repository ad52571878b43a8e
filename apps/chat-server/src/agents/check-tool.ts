/** Decides about a tool before it is written. */
import type { Database } from '../database.ts';
import { tryArgsSchema } from './args-schema.ts';
import { resolveConfig, type ToolRow, toolNamePattern } from './tool-config.ts';
import { findToolKind } from './tool-kinds/index.ts';

/** A tool that must not be written, with everything that is wrong with it. For admins. */
export class InvalidTool extends Error {
  override readonly name = 'InvalidTool';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid tool: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** A tool as an admin writes it; with `configOverride`, as it would be for the agent of that link. */
export type ToolDraft = Omit<ToolRow, 'id' | 'configOverride'> & Partial<Pick<ToolRow, 'configOverride'>>;

/**
 * Checks name, config, override and args_schema as every load does, and besides what is too dear for a load: the
 * schema compiles, and the statement of a `sql` tool is accepted by the database, with the rights it will have.
 * @throws InvalidTool; DatabaseUnavailable when the statement could not be checked.
 */
export async function checkTool(draft: ToolDraft, database: Database): Promise<void> {
  const problems: string[] = [];
  if (!toolNamePattern.test(draft.name)) {
    problems.push('name: expected 1 to 64 letters, digits, "_" or "-"');
  }
  const resolved = resolveConfig({ ...draft, configOverride: draft.configOverride ?? {} });
  problems.push(...resolved.problems);
  if (problems.length === 0) problems.push(...tryArgsSchema(draft.argsSchema));
  if (problems.length === 0) {
    problems.push(...((await findToolKind(draft.kind)?.check?.(resolved.config, database)) ?? []));
  }
  if (problems.length > 0) throw new InvalidTool(problems);
}
