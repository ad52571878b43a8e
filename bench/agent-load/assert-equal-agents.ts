/** Contenders that load different agents must not be compared. */
import { deepStrictEqual } from 'node:assert';
import type { Contender, ContenderName } from './contenders.ts';
import type { Conversation } from './data.ts';

/**
 * Throws unless the agents that all contenders load are equal in what their models are asked: instructions (the user's
 * included), tools in order with descriptions and schemas, settings.
 */
export async function assertEqualAgents(
  contenders: ReadonlyMap<ContenderName, Contender>,
  conversations: readonly Conversation[],
): Promise<void> {
  for (const conversation of conversations) {
    const seen: unknown[] = [];
    for (const contender of contenders.values()) {
      const agent = await contender.load(conversation);
      await agent.generate({ prompt: 'What can you do?' });
      const { abortSignal, ...asked } = contender.lastAsked() ?? {};
      seen.push({ id: agent.id, tools: Object.keys(agent.tools), asked });
    }
    for (const other of seen.slice(1)) deepStrictEqual(other, seen[0]);
  }
}
