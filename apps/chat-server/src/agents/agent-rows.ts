/** The rows an agent is made of: from the caches, or straight from the database. */
import { PostgresError } from '@evercache/postgres';
import { type Cache, CacheError, type Source, type StandardSchema } from 'evercache';
import type { Caches } from '../caches.ts';
import { DatabaseUnavailable } from '../database-unavailable.ts';
import { instructionsKey } from '../sources.ts';
import {
  type AgentConfiguration,
  agentConfigurationSchema,
  type UserInstructions,
  userInstructionsSchema,
} from './rows.ts';
import { type ToolConfig, toolsOfAgentSchema } from './tool-config.ts';

/** `undefined`: there is no such row. Where it is wrong, these throw InvalidRow; where nobody can say, something else. */
export interface AgentRows {
  agent(name: string): Promise<AgentConfiguration | undefined>;
  tools(agentId: string): Promise<readonly ToolConfig[] | undefined>;
  instructions(userId: string, agentId: string): Promise<UserInstructions | undefined>;
}

export function cachedRows({ agents, tools, instructions }: Caches): AgentRows {
  return {
    agent: (name) => fetchRow(agents, name),
    tools: (agentId) => fetchRow(tools, agentId),
    instructions: (userId, agentId) => fetchRow(instructions, instructionsKey({ userId, agentId })),
  };
}

/** Tells a row that is wrong, and stays so until somebody corrects it, from a source that fails. */
async function fetchRow<T>(cache: Cache<T>, key: string): Promise<T | undefined> {
  try {
    return await cache.fetch(key);
  } catch (error) {
    if (!CacheError.isInstance(error) || error.code !== 'source-failed') throw error;
    if (cache.inspect(key).quarantined === undefined) throw error;
    throw new InvalidRow(`a row of the cache ${cache.name} is wrong; see its quarantine in /admin/caches`);
  }
}

/** The same rows under the same schemas, read for this one time. */
export function uncachedRows({ sources }: Caches): AgentRows {
  return {
    agent: (name) => readOne(sources.agents, name, agentConfigurationSchema),
    tools: (agentId) => readOne(sources.tools, agentId, toolsOfAgentSchema),
    instructions: (userId, agentId) => {
      return readOne(sources.instructions, instructionsKey({ userId, agentId }), userInstructionsSchema);
    },
  };
}

/** A row that breaks its schema, where there is no good value from before: the caches keep the last one. */
export class InvalidRow extends Error {
  override readonly name = 'InvalidRow';
}

const DEADLINE_MS = 2000;

async function readOne<T>(source: Source<unknown>, key: string, schema: StandardSchema<T>): Promise<T | undefined> {
  const row = await source
    .fetchOne?.(key, { signal: AbortSignal.timeout(DEADLINE_MS), reason: 'uncached' })
    .catch((error: unknown) => {
      if (error instanceof PostgresError && error.reachable) throw error;
      throw new DatabaseUnavailable('the database does not answer', error);
    });
  if (row === undefined) return undefined;
  const checked = await schema['~standard'].validate(row);
  if (checked.issues !== undefined) throw new InvalidRow(checked.issues.map(({ message }) => message).join('; '));
  return checked.value;
}
