/** The SELECTs behind the caches. What a row must look like is decided by the schemas in agents/rows.ts. */
import { type PostgresRow, postgresSource } from '@evercache/postgres';
import type { Source } from 'evercache';
import { askTogether, type TogetherSource } from './ask-together.ts';
import type { Database } from './database.ts';
import { type Keep, keepNothing } from './snapshots.ts';

/** A row for each tool of an agent, and for an agent without tools one without a tool. */
const toolsOfAgents = `
  select agent.id as "agentId", link.position,
         tool.id, tool.name collate "C" as name, tool.kind, tool.description, tool.config,
         link.config_override as "configOverride", tool.args_schema as "argsSchema"
  from agent_configurations as agent
  left join (agent_tools as link join tools as tool
             on tool.id = link.tool_id and tool.is_active and not tool.is_deleted)
    on link.agent_id = agent.id and link.is_active and not link.is_deleted
  where agent.is_active`;

const agentConfigurations = `
  select agent.agent_name as "agentName", agent.id, agent.description, agent.instructions,
         agent.llm_config as "llmConfig", agent.is_public as "isPublic",
         array(select user_id from agent_access as access where access.agent_id = agent.id
               order by user_id collate "C") as "allowedUsers"
  from agent_configurations as agent
  where agent.is_active`;

const apiKeys = `
  select key_hash as "keyHash", id, prefix, user_id as "userId", scopes,
         (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"
  from api_keys
  where revoked_at is null`;

const userInstructions = `
  select agent_id::text || '/' || user_id as key, instructions
  from user_agent_instructions
  where is_active`;

export interface Sources {
  /** By agent id, for loads past the caches: the cache of tools joins them in memory, see tool-mirror.ts. */
  readonly tools: Source<unknown>;
  /** By agent name. */
  readonly agents: Source<unknown>;
  /** By hash of the key. */
  readonly apiKeys: Source<unknown>;
  /** By `instructionsKey`. Where it is kept, it can be asked for all of them. */
  readonly instructions: Source<unknown>;
}

/** `keep`: where what is read is kept between two starts. */
export function createSources(database: Database, keep: Keep = keepNothing): Sources {
  const { client } = database;
  const instructions = postgresSource({ client, select: userInstructions, key: 'key' });
  return {
    tools: postgresSource({
      client,
      select: toolsOfAgents,
      key: 'agentId',
      rows: 'grouped',
      orderBy: ['position', 'name'],
      presentWhen: 'id', // null where there is no tool: the agent's list is empty, and known to be
      map: ({ agentId, position, ...tool }) => tool,
    }),
    agents: keep(
      'agents',
      askTogether(postgresSource({ client, select: agentConfigurations, key: 'agentName' })),
      agentConfigurations,
    ),
    apiKeys: keep('api-keys', askTogether(postgresSource({ client, select: apiKeys, key: 'keyHash' })), apiKeys),
    instructions:
      keep === keepNothing
        ? orNone(askTogether(instructions))
        : keep('user-instructions', instructions, userInstructions),
  };
}

/** The key of a user's instructions for an agent. All ids of agents have one length, so no two pairs share a key. */
export function instructionsKey({ userId, agentId }: { userId: string; agentId: string }): string {
  return `${agentId}/${userId}`;
}

/** The form of `instructionsKey`. */
const INSTRUCTIONS_KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/./s;

/**
 * Every pair of agent and user has an answer: that a user has no instructions is one, too, and remembered as long as
 * any other.
 */
function orNone(source: TogetherSource<PostgresRow>): Source<unknown> {
  const none = (key: string) => (INSTRUCTIONS_KEY.test(key) ? { instructions: null } : undefined);
  return {
    fetchOne: async (key, context) => (await source.fetchOne(key, context)) ?? none(key),
    fetchMany: async (keys, context) => {
      const rows = await source.fetchMany(keys, context);
      return new Map(keys.map((key) => [key, rows.get(key) ?? none(key)]));
    },
    breakerKey: source.breakerKey,
    // What its source says of itself goes for a source that can list everything.
    status: () => ({
      ...source.status(),
      limits: 'a change is seen by the next refresh, and every refresh reads what is in memory, and nothing else',
    }),
  };
}
