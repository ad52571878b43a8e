/**
 * Agents, tools and the links between them, mirrored: an agent's tools are joined in memory, so that a tool that
 * thousands of agents have is read and checked once when it changes.
 */
import { type MirrorView, postgresMirror } from '@evercache/postgres';
import type { Clock } from 'evercache';
import { type ToolConfig, toolsOfAgentSchema } from './agents/tool-config.ts';
import type { Database } from './database.ts';
import { type Keep, keepNothing } from './snapshots.ts';

const MINUTE_MS = 60_000;

/** Milliseconds after which the tools count as stale, and for how long after that they are served in an outage. */
export const TOOLS_TTL_MS: number = 5 * MINUTE_MS;
export const STALE_IF_ERROR_MS: number = 24 * 60 * MINUTE_MS;

const TABLES = {
  agents: { table: 'public.agent_configurations', columns: ['id'], where: 'is_active' },
  links: {
    table: 'public.agent_tools',
    columns: ['agent_id', 'tool_id', 'position', 'config_override'],
    where: 'is_active and not is_deleted',
    indexes: ['agent_id'],
  },
  tools: {
    table: 'public.tools',
    columns: ['id', 'name', 'kind', 'description', 'config', 'args_schema'],
    where: 'is_active and not is_deleted',
  },
} as const;

/** The tools of each agent, in order, by agent id. The same list as the SELECT in sources.ts gives. */
export function createToolView(
  database: Database,
  { clock, keep = keepNothing }: { readonly clock?: Clock; readonly keep?: Keep } = {},
): MirrorView<readonly ToolConfig[]> {
  const mirror = postgresMirror({
    name: 'agent-tools',
    client: database.client,
    ttl: TOOLS_TTL_MS,
    staleIfError: STALE_IF_ERROR_MS,
    refreshInterval: '1m',
    // An agent that was made a moment ago is asked for at once: it costs one look at the change log.
    negativeTtl: 0,
    ...(clock && { clock }),
    policy: (source) => keep('agent-tools', source, JSON.stringify(TABLES)),
    tables: TABLES,
  });
  return mirror.view({
    name: 'tools',
    keys: 'agents',
    build: (agent, read) =>
      read.links
        .by('agent_id', agent.id)
        .flatMap((link) => {
          const tool = read.tools.get(link.tool_id);
          return tool === undefined ? [] : { position: Number(link.position), name: String(tool.name), link, tool };
        })
        // Equal positions by name, which no two tools share.
        .sort((a, b) => a.position - b.position || (a.name < b.name ? -1 : 1))
        .map(({ link, tool: { id, name, kind, description, config, args_schema } }) => {
          return { id, name, kind, description, config, configOverride: link.config_override, argsSchema: args_schema };
        }),
    schema: toolsOfAgentSchema,
    // One wrong tool holds back what was added and changed, but must not keep open what was taken away.
    whenRefused: (tools, agent, read) => {
      const linked = new Set(read.links.by('agent_id', agent.id).map((link) => link.tool_id));
      return tools.filter(({ id }) => linked.has(id) && read.tools.get(id) !== undefined);
    },
    // So that a wrong row is known, and the last good list is there, before anybody asks.
    ahead: true,
  });
}
