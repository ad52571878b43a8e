/**
 * `POST /v1/chat/completions`: an agent behind OpenAI's protocol. Stateless: the client sends the whole conversation,
 * nothing is stored, and no database is needed for an agent whose rows are in memory. Tools run here; the client sees
 * their names as comments in the stream and their effect in the answer.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { generateAnswer, textOfAnswer } from '../agent-answer.ts';
import type { AgentLoader } from '../agents/load-agent-executor.ts';
import { sendEvents } from '../event-stream.ts';
import type { InFlight } from '../in-flight.ts';
import { completion } from '../openai-answer.ts';
import { type OpenAIMessage, readConversation } from '../openai-messages.ts';
import { streamAnswer } from './stream-answer.ts';

interface CompletionRequest {
  readonly model: string;
  readonly messages: readonly OpenAIMessage[];
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
}

/** Other parameters of OpenAI's are ignored: model, temperature and the like belong to the agent's row. */
const bodySchema = {
  type: 'object',
  description: 'a JSON object',
  required: ['model', 'messages'],
  properties: {
    model: { type: 'string', minLength: 1, description: 'the name of an agent' },
    messages: {
      type: 'array',
      minItems: 1,
      description: 'an array of one or more messages',
      items: {
        type: 'object',
        description: 'a message: { "role": "user", "content": "..." }',
        required: ['role'],
        properties: {
          role: { enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
        },
      },
    },
    stream: { type: 'boolean', nullable: true, description: 'true or false' },
    stream_options: {
      type: 'object',
      nullable: true,
      description: 'an object',
      properties: { include_usage: { type: 'boolean', description: 'true or false' } },
    },
  },
} as const;

/**
 * System and developer messages come after the agent's own instructions and the user's, named for what they are. They
 * steer this conversation, which is the caller's own anyway; whose data the tools see is decided by the key alone.
 */
const CALLER_HEADING = 'Instructions of the calling application:';

export interface CompletionDependencies {
  readonly loader: Pick<AgentLoader, 'loadAgentExecutor'>;
  readonly inFlight: InFlight;
  readonly heartbeatMs: number;
}

export function chatCompletionRoutes(app: FastifyInstance, dependencies: CompletionDependencies): void {
  const { loader, inFlight, heartbeatMs } = dependencies;

  app.post<{ Body: CompletionRequest }>(
    '/v1/chat/completions',
    { schema: { body: bodySchema } },
    async (request, reply) => {
      const { model, messages, stream, stream_options } = request.body;
      const { messages: conversation, instructions } = readConversation(messages);
      const abortSignal = inFlight.begin(reply);
      const agent = await loader.loadAgentExecutor({
        agentName: model,
        userId: request.caller.userId,
        sessionId: `stateless-${request.id}`,
        systemText: instructions && `${CALLER_HEADING}\n${instructions}`,
      });
      const header = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
      const call = { messages: conversation, abortSignal };
      if (stream) {
        const includeUsage = stream_options?.include_usage === true;
        const { id: requestId, log } = request;
        return sendEvents(reply, streamAnswer({ agent, call, header, includeUsage, requestId, log }), heartbeatMs);
      }
      const answer = await generateAnswer(agent, call);
      return completion(header, { text: textOfAnswer(answer), finishReason: answer.finishReason, usage: answer.usage });
    },
  );
}
