/** Every kind of tool there is. */
import { sqlKind } from './sql.ts';
import { staticKind } from './static.ts';
import type { ToolKind } from './tool-kind.ts';

const toolKinds: Readonly<Record<string, ToolKind>> = { static: staticKind, sql: sqlKind };

/** Names of all kinds. */
export const toolKindNames: readonly string[] = Object.keys(toolKinds);

/** The kind of that name, `undefined` where there is none. */
export function findToolKind(name: string): ToolKind | undefined {
  return Object.hasOwn(toolKinds, name) ? toolKinds[name] : undefined;
}
