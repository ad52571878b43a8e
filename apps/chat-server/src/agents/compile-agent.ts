/**
 * Makes an agent out of its rows. The result holds no user: one serves all users and sessions at once, and it stays
 * in use until one of its rows has changed.
 */
import { isStepCount, type ModelMessage, ToolLoopAgent, type ToolSet } from 'ai';
import { z } from 'zod';
import { createArgsChecks } from './args-schema.ts';
import { compileTool, type ToolServices } from './compile-tool.ts';
import type { ModelFactory } from './model.ts';
import type { AgentConfiguration } from './rows.ts';
import type { ToolConfig } from './tool-config.ts';
import type { ToolContext } from './tool-kinds/tool-kind.ts';

export interface AgentServices extends ToolServices {
  readonly createModel: ModelFactory;
}

/** Who talks, and what is to be said to the model after the agent's own instructions. */
export type AgentCallOptions = ToolContext & { appendix: string[] };

export type CompiledAgent = ToolLoopAgent<AgentCallOptions, ToolSet>;

const callOptionsSchema: z.ZodType<AgentCallOptions> = z.object({
  userId: z.string().min(1),
  sessionId: z.string().min(1),
  appendix: z.array(z.string()),
});

/** One answer with all its steps and tools; one step of it, in milliseconds. */
const timeout = { totalMs: 300_000, stepMs: 120_000 } as const;

export function compileAgent(
  configuration: AgentConfiguration,
  tools: readonly ToolConfig[],
  services: AgentServices,
): CompiledAgent {
  const { agentName, instructions, llmConfig } = configuration;
  const createCheck = createArgsChecks();
  const names = tools.map(({ name }) => name);
  const toolSet: ToolSet = Object.fromEntries(tools.map((row) => [row.name, compileTool(row, createCheck, services)]));
  return new ToolLoopAgent<AgentCallOptions, ToolSet>({
    id: agentName,
    model: services.createModel(llmConfig),
    instructions,
    tools: toolSet,
    toolOrder: names, // an object would put a tool named "42" first
    toolsContext: {} as never, // filled in for each call, below
    stopWhen: isStepCount(llmConfig.max_steps),
    timeout,
    // Who asked hears of the failure; the default writes it to the console, with the request and all that was said.
    onError: () => {},
    ...(llmConfig.temperature === undefined ? {} : { temperature: llmConfig.temperature }),
    ...(llmConfig.max_tokens === undefined ? {} : { maxOutputTokens: llmConfig.max_tokens }),
    callOptionsSchema,
    prepareCall: ({ options: { userId, sessionId, appendix }, ...settings }) => ({
      ...(settings as typeof settings & { messages: ModelMessage[] }),
      // Plain text after plain text: whatever users write, nothing in it is a placeholder.
      instructions: [instructions, ...appendix].join('\n\n'),
      toolsContext: Object.fromEntries(names.map((name) => [name, { userId, sessionId }])),
    }),
  });
}
