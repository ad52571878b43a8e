/**
 * The chat server's agents without caches, as well as that can be done: three named statements, which PostgreSQL plans
 * once per connection, in parallel on connections that stay open, so that a load is one round trip. Each finds its rows
 * by the agent's name and an index. Checks of rows and compiling are the chat server's own, validators lazy as there.
 */
import type { StandardSchema } from 'evercache';
import type { Pool } from 'pg';
import { type AgentServices, compileAgent } from '../../apps/chat-server/src/agents/compile-agent.ts';
import type { AgentLoader } from '../../apps/chat-server/src/agents/load-agent-executor.ts';
import { agentConfigurationSchema } from '../../apps/chat-server/src/agents/rows.ts';
import { toolsOfAgentSchema } from '../../apps/chat-server/src/agents/tool-config.ts';
import { AgentNotFound } from '../../apps/chat-server/src/not-found.ts';
import type { Conversation } from './data.ts';

/** An agent, ready to answer for its user. */
export type LoadedAgent = Awaited<ReturnType<AgentLoader['loadAgentExecutor']>>;

const configurationOfAgent = `
  select agent.agent_name as "agentName", agent.id, agent.description, agent.instructions,
         agent.llm_config as "llmConfig", agent.is_public as "isPublic",
         array(select user_id from agent_access as access where access.agent_id = agent.id
               order by user_id collate "C") as "allowedUsers"
  from agent_configurations as agent
  where agent.agent_name = $1 and agent.is_active`;

const toolsOfAgent = `
  select tool.id, tool.name, tool.kind, tool.description, tool.config,
         link.config_override as "configOverride", tool.args_schema as "argsSchema"
  from agent_configurations as agent
  join agent_tools as link on link.agent_id = agent.id and link.is_active and not link.is_deleted
  join tools as tool on tool.id = link.tool_id and tool.is_active and not tool.is_deleted
  where agent.agent_name = $1 and agent.is_active
  order by link.position, tool.name collate "C"`;

const instructionsOfUser = `
  select wish.instructions
  from agent_configurations as agent
  join user_agent_instructions as wish on wish.agent_id = agent.id
  where agent.agent_name = $1 and wish.user_id = $2 and wish.is_active`;

export function createUncachedLoader(
  pool: Pool,
  services: AgentServices,
): (conversation: Conversation) => Promise<LoadedAgent> {
  const query = async (name: string, text: string, values: readonly string[]): Promise<Record<string, unknown>[]> =>
    (await pool.query({ name, text, values: [...values] })).rows;

  return async ({ agentName, userId, sessionId }) => {
    const [[row], tools, [wish]] = await Promise.all([
      query('configuration', configurationOfAgent, [agentName]),
      query('tools', toolsOfAgent, [agentName]),
      query('instructions', instructionsOfUser, [agentName, userId]),
    ]);
    if (row === undefined) throw new AgentNotFound();
    const configuration = await check(agentConfigurationSchema, row);
    if (!configuration.isPublic && !configuration.allowedUsers.includes(userId)) throw new AgentNotFound();
    const compiled = compileAgent(configuration, await check(toolsOfAgentSchema, tools), services);
    const appendix = wish?.instructions ? [`Instructions of this user:\n${wish.instructions}`] : [];
    const options = { userId, sessionId, appendix };
    return {
      version: 'agent-v1',
      id: compiled.id,
      tools: compiled.tools,
      generate: (parameters) => compiled.generate({ ...parameters, options }),
      stream: (parameters) => compiled.stream({ ...parameters, options }),
    };
  };
}

/** The row as its schema gives it. */
export async function check<T>(schema: StandardSchema<T>, row: unknown): Promise<T> {
  const checked = await schema['~standard'].validate(row);
  if (checked.issues !== undefined) throw new Error(checked.issues.map(({ message }) => message).join('; '));
  return checked.value;
}
