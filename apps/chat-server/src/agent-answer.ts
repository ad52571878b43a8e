/** How the routes let an agent answer. */
import type { Agent, ModelMessage, ToolSet } from 'ai';

/** An agent for one user and one session. */
export type ChatAgent = Agent<never, ToolSet>;

export interface AgentCall {
  readonly messages: ModelMessage[];
  /** Stops the model and its tools. */
  readonly abortSignal: AbortSignal;
}

export type AgentAnswer = Awaited<ReturnType<ChatAgent['generate']>>;

/** Stands between what an agent says before and after it called a tool. */
export const BETWEEN_STEPS = '\n\n';

/** Lets the agent answer at once. A call that was stopped throws why it was, also if the model does not listen. */
export async function generateAnswer(agent: ChatAgent, call: AgentCall): Promise<AgentAnswer> {
  const { abortSignal } = call;
  abortSignal.throwIfAborted();
  const stopped = new Promise<never>((_, reject) => {
    abortSignal.addEventListener('abort', () => reject(abortSignal.reason), { once: true });
  });
  return Promise.race([stopped, agent.generate(call)]);
}

/** All the agent said, in all its steps: the same as its stream says. */
export function textOfAnswer({ steps }: AgentAnswer): string {
  return steps.flatMap(({ text }) => text || []).join(BETWEEN_STEPS);
}
