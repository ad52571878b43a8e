/**
 * `POST /api/chat`: one question in a session that this server remembers. Needs the database: an answer without what
 * was said before would be a wrong one.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { generateAnswer, textOfAnswer } from '../agent-answer.ts';
import type { AgentLoader } from '../agents/load-agent-executor.ts';
import { readHistory, storeExchange } from '../chat-session.ts';
import type { Database } from '../database.ts';
import type { InFlight } from '../in-flight.ts';
import { MAX_SESSION_ID_LENGTH } from '../sessions.ts';

interface ChatRequest {
  readonly agent_name: string;
  readonly message: string;
  readonly session_id?: string | null;
}

/** Characters of one message: some twenty pages. */
const MAX_MESSAGE_LENGTH = 32_768;

/** Text in PostgreSQL has no NUL. */
const NO_NUL = '^[^\\u0000]*$';

const bodySchema = {
  type: 'object',
  description: 'a JSON object',
  required: ['agent_name', 'message'],
  additionalProperties: false,
  properties: {
    agent_name: { type: 'string', minLength: 1, description: 'the name of an agent' },
    message: {
      type: 'string',
      minLength: 1,
      maxLength: MAX_MESSAGE_LENGTH,
      pattern: NO_NUL,
      description: `text of 1 to ${MAX_MESSAGE_LENGTH} characters without NUL`,
    },
    session_id: {
      type: 'string',
      nullable: true,
      minLength: 1,
      maxLength: MAX_SESSION_ID_LENGTH,
      pattern: NO_NUL,
      description: `text of 1 to ${MAX_SESSION_ID_LENGTH} characters, or null for a new session`,
    },
  },
} as const;

export interface ChatDependencies {
  readonly loader: Pick<AgentLoader, 'loadAgentExecutor'>;
  readonly database: Database;
  readonly inFlight: InFlight;
}

export function chatRoutes(app: FastifyInstance, { loader, database, inFlight }: ChatDependencies): void {
  app.post<{ Body: ChatRequest }>('/api/chat', { schema: { body: bodySchema } }, async ({ body, caller }, reply) => {
    const { agent_name: agentName, message, session_id } = body;
    const { userId } = caller;
    const session = { sessionId: session_id ?? randomUUID(), userId, agentName };
    const abortSignal = inFlight.begin(reply);
    const agent = await loader.loadAgentExecutor(session);
    const history = await readHistory(database, session);
    const messages = [...history, { role: 'user' as const, content: message }];
    const answer = await generateAnswer(agent, { messages, abortSignal });
    const response = textOfAnswer(answer);
    await storeExchange(database, session, { question: message, answer: response });
    const lastCall = answer.steps.flatMap(({ toolCalls }) => toolCalls).at(-1);
    return {
      session_id: session.sessionId,
      response,
      tool_name: lastCall?.toolName ?? null,
      tool_input: lastCall?.input ?? null,
      error: null,
    };
  });
}
