/** The tools of agents, as the rest of a server asks for them. */
import type { CacheStats, CacheStatus, RefreshReport, WarmReport } from 'evercache';
import type { ToolConfig } from './agents/tool-config.ts';
import type { Caches } from './caches.ts';
import { AgentNotFound } from './not-found.ts';

export class ToolCacheService {
  readonly #tools: Caches['tools'];
  readonly #agents: Caches['agents'];

  constructor({ tools, agents }: Pick<Caches, 'tools' | 'agents'>) {
    this.#tools = tools;
    this.#agents = agents;
  }

  /**
   * The tools of an agent, given by name or id, in order. An agent that has none has an empty list. While a tool is
   * wrong, it is the last good list, without the tools that were taken from the agent since.
   * @throws AgentNotFound; CacheError where nobody can say. Never an empty list for either of them.
   */
  async getToolsForAgent(agent: string): Promise<readonly ToolConfig[]> {
    const tools = await this.#tools.fetch(await this.#idOf(agent));
    if (tools === undefined) throw new AgentNotFound();
    return tools;
  }

  /** Counters and state of the cache of tools. */
  getCacheStats(): { name: string; status: CacheStatus; stats: CacheStats } {
    return { name: this.#tools.name, status: this.#tools.status(), stats: this.#tools.stats() };
  }

  /**
   * Forgets the tools of an agent, given by name or id; without an argument those of all agents. The next reader gets
   * what the database says then, and an error where a tool is wrong there: not the list from before. An `undefined`
   * agent is a mistake and not "all".
   */
  async invalidateCache(...agents: [] | [agent: string]): Promise<void> {
    const [agent] = agents;
    if (agents.length === 0) return this.#tools.invalidateAll();
    if (typeof agent !== 'string') throw new TypeError(`invalidateCache: expected an agent, got ${typeof agent}`);
    await this.#tools.invalidate(await this.#idOf(agent));
  }

  /** Loads the tools of these agents, given by name or id; without an argument those of all agents, in one statement. */
  async warmCache(agents?: readonly string[]): Promise<WarmReport | RefreshReport> {
    if (agents === undefined) return this.#tools.refresh({ full: true });
    return this.#tools.warm(await Promise.all(agents.map((agent) => this.#idOf(agent))));
  }

  async #idOf(agent: string): Promise<string> {
    if (UUID.test(agent)) return agent.toLowerCase();
    const configuration = await this.#agents.fetch(agent);
    if (configuration === undefined) throw new AgentNotFound();
    return configuration.id;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

let running: { readonly service: ToolCacheService; readonly caches: Caches } | undefined;

/** Starts the caches and makes their service known to `getToolCacheService`. Once per process, until the shutdown. */
export async function initializeToolCache(caches: Caches): Promise<ToolCacheService> {
  if (running !== undefined && running.caches !== caches) throw new Error('the tool cache is running already');
  running ??= { service: new ToolCacheService(caches), caches };
  const { service } = running;
  await caches.registry.startAll();
  return service;
}

/** Stops the caches. Without effect where none run. */
export async function shutdownToolCache(): Promise<void> {
  const stopping = running;
  running = undefined;
  await stopping?.caches.registry.stopAll();
}

/** The service of this process. Throws before `initializeToolCache` and after `shutdownToolCache`. */
export function getToolCacheService(): ToolCacheService {
  if (running === undefined) throw new Error('the tool cache does not run: call initializeToolCache first');
  return running.service;
}

/** The tools of an agent, given by name or id. See `ToolCacheService.getToolsForAgent`. */
export async function getCachedToolsForAgent(agent: string): Promise<readonly ToolConfig[]> {
  return getToolCacheService().getToolsForAgent(agent);
}
