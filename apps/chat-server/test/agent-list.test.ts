import { describe, expect, it } from 'vitest';
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

function setUp(...agents: AgentConfiguration[]) {
  const rows = new Map(agents.map((row) => [row.agentName, row]));
  const list = createAgentList(
    () => rows.entries(),
    ({ isPublic, allowedUsers }, userId) => isPublic || allowedUsers.includes(userId),
  );
  return { rows, list };
}

describe('the list of agents', () => {
  it('has the agents that everybody may use and those that this user may, by name', () => {
    const { list } = setUp(agent('b'), agent('c', ['anna']), agent('a', ['anna', 'ben']));
    expect([list('anna'), list('ben'), list('carl')]).toEqual([['a', 'b', 'c'], ['a', 'b'], ['b']]);
  });

  it('is the same array until something changes', () => {
    const { rows, list } = setUp(agent('b'), agent('a'), agent('c', ['anna']));
    const before = list('ben');
    expect(list('carl')).toBe(before);
    rows.set('d', agent('d'));
    expect(list('ben')).toEqual(['a', 'b', 'd']);
    rows.set('a', agent('a', ['anna']));
    expect(list('ben')).toEqual(['b', 'd']);
    rows.delete('b');
    expect([list('ben'), list('anna')]).toEqual([['d'], ['a', 'c', 'd']]);
    rows.clear();
    expect(list('ben')).toEqual([]);
  });

  it('changes where the last row is gone, or one row stands in the place of another', () => {
    const { rows, list } = setUp(agent('a'), agent('b'));
    expect(list('anna')).toEqual(['a', 'b']);
    rows.delete('b');
    expect(list('anna')).toEqual(['a']);
    rows.delete('a');
    rows.set('c', agent('c'));
    expect(list('anna')).toEqual(['c']);
  });
});
