import { TTLCacheService } from 'evercache';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAgentList } from '../src/agents/agent-list.ts';
import type { AgentConfiguration } from '../src/agents/rows.ts';

const agent = (agentName: string, allowedUsers?: readonly string[]): AgentConfiguration => ({
  id: `id of ${agentName}`,
  agentName,
  description: '',
  instructions: 'Help.',
  llmConfig: { max_steps: 5 },
  isPublic: allowedUsers === undefined,
  allowedUsers: allowedUsers ?? [],
});

async function setUp(...agents: AgentConfiguration[]) {
  const rows = new Map(agents.map((row) => [row.agentName, row]));
  const cache = new TTLCacheService<AgentConfiguration>({
    name: 'agents',
    source: { fetchAll: async () => new Map(rows) },
    ttl: '1m',
    guard: { acceptAfter: 1 },
  });
  onTestFinished(() => cache.stop());
  await cache.start();
  const list = createAgentList(
    cache,
    ({ isPublic, allowedUsers }, userId) => isPublic || allowedUsers.includes(userId),
  );
  return { rows, cache, list };
}

describe('the list of agents', () => {
  it('has the agents that everybody may use and those that this user may, by name', async () => {
    const { list } = await setUp(agent('b'), agent('c', ['anna']), agent('a', ['anna', 'ben']));
    expect([list('anna'), list('ben'), list('carl')]).toEqual([['a', 'b', 'c'], ['a', 'b'], ['b']]);
  });

  it('is the same array until something changes', async () => {
    const { rows, cache, list } = await setUp(agent('b'), agent('a'), agent('c', ['anna']));
    const before = list('ben');
    await cache.refresh();
    expect([list('carl'), list('ben')].every((names) => names === before)).toBe(true);
    rows.set('d', agent('d'));
    await cache.refresh();
    expect(list('ben')).toEqual(['a', 'b', 'd']);
    rows.set('a', agent('a', ['anna']));
    await cache.refresh();
    expect(list('ben')).toEqual(['b', 'd']);
    rows.delete('b');
    await cache.refresh();
    expect([list('ben'), list('anna')]).toEqual([['d'], ['a', 'c', 'd']]);
    rows.clear();
    await cache.refresh();
    expect(list('ben')).toEqual([]);
  });

  it('changes where the last row is gone, or one row stands in the place of another', async () => {
    const { rows, cache, list } = await setUp(agent('a'), agent('b'));
    expect(list('anna')).toEqual(['a', 'b']);
    rows.delete('b');
    await cache.refresh();
    expect(list('anna')).toEqual(['a']);
    rows.delete('a');
    rows.set('c', agent('c'));
    await cache.refresh();
    expect(list('anna')).toEqual(['c']);
  });

  it('knows what was invalidated', async () => {
    const { rows, cache, list } = await setUp(agent('a'), agent('b'));
    expect(list('anna')).toEqual(['a', 'b']);
    rows.delete('a');
    await cache.invalidate('a');
    expect(list('anna')).toEqual(['b']);
  });
});
