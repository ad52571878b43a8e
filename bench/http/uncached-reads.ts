/** The rows of a request without caches, beside those of the agent itself: one named statement each. */
import type { Pool } from 'pg';
import { type ApiKeyRecord, apiKeyRecordSchema } from '../../apps/chat-server/src/agents/rows.ts';
import { check } from '../agent-load/uncached-loader.ts';

const apiKeyByHash = `
  select id, prefix, user_id as "userId", scopes, (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"
  from api_keys
  where key_hash = $1 and revoked_at is null`;

// One row: to read a thousand of them costs the driver more than all names in one text.
const agentNamesOfUser = `
  select coalesce(json_agg(agent_name order by agent_name collate "C"), '[]') as names
  from agent_configurations as agent
  where is_active and (is_public or exists (
    select from agent_access as access where access.agent_id = agent.id and access.user_id = $1))`;

export async function readApiKey(pool: Pool, hash: string): Promise<ApiKeyRecord | undefined> {
  const { rows } = await pool.query({ name: 'api key', text: apiKeyByHash, values: [hash] });
  return rows.length === 0 ? undefined : check(apiKeyRecordSchema, rows[0]);
}

export async function readAgentNames(pool: Pool, userId: string): Promise<string[]> {
  const query = { name: 'agent names', text: agentNamesOfUser, values: [userId] };
  const { rows } = await pool.query<{ names: string[] }>(query);
  return rows[0]!.names;
}
