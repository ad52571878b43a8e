/** The four caches of the server, on one screen: what they hold, by what key, and how old it may be. */
import { type Cache, CacheRegistry, type Clock, TTLCacheService } from 'evercache';
import {
  type AgentConfiguration,
  type ApiKeyRecord,
  agentConfigurationSchema,
  apiKeyRecordSchema,
  type UserInstructions,
  userInstructionsSchema,
} from './agents/rows.ts';
import type { ToolConfig } from './agents/tool-config.ts';
import type { Database } from './database.ts';
import { type Keep, keepNothing } from './snapshots.ts';
import { createSources, type Sources } from './sources.ts';
import { createToolView, STALE_IF_ERROR_MS, TOOLS_TTL_MS } from './tool-mirror.ts';

export interface Caches {
  /** The tools of an agent, in order, by agent id. An agent without tools has `[]`. */
  readonly tools: Cache<readonly ToolConfig[]>;
  /** By agent name. Who may use an agent is part of its row. */
  readonly agents: TTLCacheService<AgentConfiguration>;
  /** By hash of the key. */
  readonly apiKeys: TTLCacheService<ApiKeyRecord>;
  /** What a user told an agent to keep to, by `instructionsKey`. */
  readonly instructions: TTLCacheService<UserInstructions>;
  readonly registry: CacheRegistry;
  /** Where the rows come from, for a load that must not use the caches. */
  readonly sources: Sources;
}

const MINUTE_MS = 60_000;

/** Milliseconds after which the caches that every request needs count as stale. */
export const TTL_MS = { tools: TOOLS_TTL_MS, agents: 10 * MINUTE_MS, apiKeys: 5 * MINUTE_MS } as const;

/** Whoever makes up keys or names must not take their turn from what was made a moment ago: see ask-together.ts. */
const UNLIMITED = Number.POSITIVE_INFINITY;

/**
 * `keep`: where they are kept between two starts, so that the server can begin without its database. `clock`: whose
 * time ages them, the machine's by default.
 */
export function createCaches(database: Database, keep: Keep = keepNothing, clock?: Clock): Caches {
  const sources = createSources(database, keep);
  const registry = new CacheRegistry();
  const timed = clock === undefined ? {} : { clock };
  return {
    tools: registry.register(createToolView(database, { keep, ...timed })),
    agents: registry.register(
      new TTLCacheService<AgentConfiguration>({
        ...timed,
        name: 'agents',
        source: sources.agents,
        schema: agentConfigurationSchema,
        ttl: TTL_MS.agents,
        staleIfError: STALE_IF_ERROR_MS,
        refreshInterval: '2m',
        maxAbsentPerSecond: UNLIMITED,
      }),
    ),
    apiKeys: registry.register(
      new TTLCacheService<ApiKeyRecord>({
        ...timed,
        name: 'api-keys',
        source: sources.apiKeys,
        schema: apiKeyRecordSchema,
        ttl: TTL_MS.apiKeys,
        staleIfError: STALE_IF_ERROR_MS,
        refreshInterval: '30s',
        // Whoever revokes most of the keys means it: that must not wait for a second answer.
        guard: { acceptAfter: 1 },
        maxAbsentPerSecond: UNLIMITED,
      }),
    ),
    // Read on demand, for there are too many pairs to hold them all. What is held is read again in one statement a
    // minute, so that loads cost no statement however many there are. A server that is to begin without its database
    // has to know of every user, though: it holds what users have written, and whoever is not there has written nothing.
    instructions: registry.register(
      new TTLCacheService<UserInstructions>({
        ...timed,
        name: 'user-instructions',
        source: sources.instructions,
        schema: userInstructionsSchema,
        ttl: '2m',
        refreshInterval: '1m',
        closedWorld: keep !== keepNothing,
      }),
    ),
    registry,
    sources,
  };
}
