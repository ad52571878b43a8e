/** An answer as a stream of OpenAI's chunks. Tools show as comments; a failure under way is an event. */
import type { FastifyBaseLogger } from 'fastify';
import { type AgentCall, BETWEEN_STEPS, type ChatAgent } from '../agent-answer.ts';
import { toHttpError } from '../error-handler.ts';
import { sseComment, sseData } from '../event-stream.ts';
import { type AnswerHeader, chunk, openAIFinishReason, usageChunk } from '../openai-answer.ts';

export interface StreamedAnswer {
  readonly agent: ChatAgent;
  readonly call: AgentCall;
  readonly header: AnswerHeader;
  /** End with a chunk that counts tokens. */
  readonly includeUsage: boolean;
  readonly requestId: string;
  readonly log: FastifyBaseLogger;
}

export async function* streamAnswer(answer: StreamedAnswer): AsyncGenerator<string> {
  const { header, call } = answer;
  yield sseData(chunk(header, { role: 'assistant', content: '' }));
  try {
    yield* streamSteps(answer);
    yield sseData('[DONE]');
  } catch (error) {
    // The status went out long ago. OpenAI's clients throw when they meet an event like this; no [DONE] follows.
    const { aborted, reason } = call.abortSignal;
    const failure = toHttpError(aborted ? reason : error, answer.requestId);
    if (!aborted) answer.log.error({ code: failure.code, err: failure.cause ?? failure }, 'the answer broke off');
    yield sseData(failure.toEnvelope());
  }
}

async function* streamSteps({ agent, call, header, includeUsage }: StreamedAnswer): AsyncGenerator<string> {
  const { stream } = await agent.stream(call);
  let spoken = false;
  let separator = '';
  for await (const part of stream) {
    switch (part.type) {
      case 'start-step':
        separator = spoken ? BETWEEN_STEPS : '';
        break;
      case 'text-delta':
        if (part.text === '') break;
        yield sseData(chunk(header, { content: separator + part.text }));
        spoken = true;
        separator = '';
        break;
      case 'tool-call':
      case 'tool-result':
      case 'tool-error':
        yield sseComment(`${part.type} ${part.toolName}`);
        break;
      case 'error':
        throw part.error;
      case 'abort':
        call.abortSignal.throwIfAborted();
        // It was not us: the agent has deadlines of its own.
        throw new DOMException(part.reason ?? 'the agent stopped', 'TimeoutError');
      case 'finish':
        yield sseData(chunk(header, {}, openAIFinishReason(part.finishReason)));
        if (includeUsage) yield sseData(usageChunk(header, part.totalUsage));
        break;
    }
  }
}
