/**
 * Loads an agent for one user and session: rows from the caches (or from the database, where asked to), the compiled
 * agent that belongs to these rows, and a thin shell with the user in it.
 */
import type { Agent, AgentCallParameters, AgentStreamParameters, ToolSet } from 'ai';
import { memoByIdentity } from 'evercache';
import type { Caches } from '../caches.ts';
import { DatabaseUnavailable } from '../database-unavailable.ts';
import { AgentNotFound } from '../not-found.ts';
import { createAgentList } from './agent-list.ts';
import { type AgentRows, cachedRows, uncachedRows } from './agent-rows.ts';
import { type AgentCallOptions, type AgentServices, type CompiledAgent, compileAgent } from './compile-agent.ts';
import { type AgentConfiguration, agentNamePattern } from './rows.ts';
import type { ToolConfig } from './tool-config.ts';

export interface LoadOptions {
  readonly agentName: string;
  readonly userId: string;
  readonly sessionId: string;
  /** What the calling application adds to the instructions, as a system message. Comes last. */
  readonly systemText?: string | undefined;
  /** `false` reads the rows from the database, for this load only. Default true. */
  readonly useCache?: boolean | undefined;
}

export interface AgentLoader {
  /**
   * The agent, ready to `generate` or `stream` for this user and session.
   * @throws AgentNotFound where there is none for this user; InvalidRow where a row is wrong; CacheError or
   * DatabaseUnavailable where nobody can say,
   * or where the user's instructions were never read: there is no agent without them.
   */
  loadAgentExecutor(options: LoadOptions): Promise<Agent<never, ToolSet>>;
  /** `loadAgentExecutor` with `useCache: true`. */
  loadAgentExecutorDbCached(options: Omit<LoadOptions, 'useCache'>): Promise<Agent<never, ToolSet>>;
  /**
   * The row of an agent that this user may load.
   * @throws as `loadAgentExecutor`
   */
  findAgent(agentName: string, userId: string): Promise<AgentConfiguration>;
  /**
   * The names of the agents this user may load, in order; the same array until something has changed. Throws
   * DatabaseUnavailable while they are not known.
   */
  listAgents(userId: string): Promise<readonly string[]>;
}

export function createAgentLoader(caches: Caches, services: AgentServices): AgentLoader {
  const compile = (configuration: AgentConfiguration, tools: readonly ToolConfig[]): CompiledAgent =>
    compileAgent(configuration, tools, services);
  const fromDatabase = { rows: uncachedRows(caches), compile };
  const agentsOf = createAgentList(caches.agents, mayUse);
  // An unchanged row is the same object over any number of refreshes, so this compiles once per change.
  const fromCaches = { rows: cachedRows(caches), compile: memoByIdentity(compile) };

  const loadAgentExecutor = async (options: LoadOptions): Promise<Agent<never, ToolSet>> => {
    const { agentName, userId, sessionId, systemText, useCache = true } = options;
    const { rows, compile } = useCache && areRunning(caches) ? fromCaches : fromDatabase;
    const configuration = await findAgent(rows, agentName, userId);
    const [tools, wishes] = await Promise.all([
      rows.tools(configuration.id),
      rows.instructions(userId, configuration.id),
    ]);
    if (tools === undefined) throw new AgentNotFound(); // deleted between the two answers
    const appendix = [
      ...(wishes?.instructions ? [`Instructions of this user:\n${wishes.instructions}`] : []),
      ...(systemText ? [systemText] : []),
    ];
    return forUser(compile(configuration, tools), { userId, sessionId, appendix });
  };

  return {
    loadAgentExecutor,
    loadAgentExecutorDbCached: (options) => loadAgentExecutor({ ...options, useCache: true }),
    findAgent: (agentName, userId) =>
      findAgent((areRunning(caches) ? fromCaches : fromDatabase).rows, agentName, userId),
    listAgents: async (userId) => {
      // None in memory is only true of the database if the cache says so: else they were never loaded, or are gone.
      if (caches.agents.size === 0 && caches.agents.status().state !== 'live') {
        throw new DatabaseUnavailable('the agents are not in memory');
      }
      return agentsOf(userId);
    },
  };
}

async function findAgent(rows: AgentRows, agentName: string, userId: string): Promise<AgentConfiguration> {
  if (!agentNamePattern.test(agentName)) throw new AgentNotFound();
  const configuration = await rows.agent(agentName);
  if (configuration === undefined || !mayUse(configuration, userId)) throw new AgentNotFound();
  return configuration;
}

/** The caches start and stop together, so one speaks for all. */
function areRunning({ agents }: Caches): boolean {
  const { state } = agents.status();
  return state !== 'idle' && state !== 'stopped';
}

function mayUse(configuration: AgentConfiguration, userId: string): boolean {
  return configuration.isPublic || allowed(configuration.allowedUsers).has(userId);
}

/** An agent may have many users; the list becomes a set once per change. */
const allowed: (users: readonly string[]) => ReadonlySet<string> = memoByIdentity((users) => new Set(users));

function forUser(compiled: CompiledAgent, options: AgentCallOptions): Agent<never, ToolSet> {
  return {
    version: 'agent-v1',
    id: compiled.id,
    tools: compiled.tools,
    generate: (parameters: AgentCallParameters<never, ToolSet>) => compiled.generate({ ...parameters, options }),
    stream: (parameters: AgentStreamParameters<never, ToolSet>) => compiled.stream({ ...parameters, options }),
  };
}
