import { CacheError } from 'evercache';
import { afterEach, describe, expect, it } from 'vitest';
import { createCaches } from '../src/caches.ts';
import { AgentNotFound } from '../src/not-found.ts';
import {
  getCachedToolsForAgent,
  getToolCacheService,
  initializeToolCache,
  shutdownToolCache,
  ToolCacheService,
} from '../src/tool-cache-service.ts';
import { useAgents } from './support/agents.ts';
import { usePGlite } from './support/databases.ts';

const EMAIL_TOOLS = ['list_emails', 'count_unread_emails', 'search_emails', 'get_writing_style'];

describe('ToolCacheService', () => {
  const test = usePGlite();
  const agents = useAgents(test);
  const service = (): ToolCacheService => new ToolCacheService(agents.bench.caches);

  it('gives the tools of an agent in order, by name or by id', async () => {
    const byName = await service().getToolsForAgent('email_digest_agent');
    expect(byName.map(({ name }) => name)).toEqual(EMAIL_TOOLS);
    expect(await service().getToolsForAgent(await agents.bench.idOf('email_digest_agent'))).toBe(byName);
  });

  it('gives an empty list for an agent without tools, and none for an agent that is not there', async () => {
    expect(await service().getToolsForAgent('listener')).toEqual([]);
    for (const agent of ['nobody', '00000000-0000-4000-8000-000000000000', '']) {
      await expect(service().getToolsForAgent(agent), agent).rejects.toThrow(AgentNotFound);
    }
  });

  it('counts, and says how the cache is doing', async () => {
    await service().getToolsForAgent('listener');
    const { name, status, stats } = service().getCacheStats();
    expect({ name, state: status.state }).toEqual({ name: 'tools', state: 'live' });
    expect(stats).toMatchObject({ hits: 1, misses: 0, entries: 4, sourceFailures: 0 });
  });

  it('forgets one agent, or all of them, and never all of them by mistake', async () => {
    const { tools } = agents.bench.caches;
    const email = await agents.bench.idOf('email_digest_agent');
    const listener = await agents.bench.idOf('listener');
    await service().invalidateCache('email_digest_agent');
    expect([tools.has(email), tools.has(listener)]).toEqual([false, true]);
    const forgotten: string | undefined = undefined;
    await expect(service().invalidateCache(forgotten as unknown as string)).rejects.toThrow(TypeError);
    expect(tools.has(listener)).toBe(true);
    await service().invalidateCache();
    expect(tools.size).toBe(0);
    expect((await service().getToolsForAgent('email_digest_agent')).map(({ name }) => name)).toEqual(EMAIL_TOOLS);
  });

  it('warms the agents it is given, and all agents when it is given none', async () => {
    const { tools } = agents.bench.caches;
    await tools.invalidateAll();
    expect(await service().warmCache(['listener', 'task_coach'])).toMatchObject({ requested: 2, loaded: 2, failed: 0 });
    await tools.invalidateAll();
    await service().warmCache();
    expect(tools.size).toBe(4);
  });
});

describe("the document's functions", () => {
  const test = usePGlite();
  afterEach(shutdownToolCache);

  it('start the caches, give their service to the process, and stop them', async () => {
    const caches = createCaches(test.database);
    expect(getToolCacheService).toThrow(/initializeToolCache/);
    await expect(getCachedToolsForAgent('listener')).rejects.toThrow(/initializeToolCache/);
    const service = await initializeToolCache(caches);
    expect(getToolCacheService()).toBe(service);
    expect(await initializeToolCache(caches)).toBe(service);
    expect((await getCachedToolsForAgent('email_digest_agent')).map(({ name }) => name)).toEqual(EMAIL_TOOLS);
    await expect(initializeToolCache(createCaches(test.database))).rejects.toThrow(/running/);
    await shutdownToolCache();
    expect(getToolCacheService).toThrow(/initializeToolCache/);
    await expect(service.getToolsForAgent('listener')).rejects.toSatisfy(CacheError.isInstance);
    await shutdownToolCache();
  });
});
