/** Writes what an agent said as OpenAI's clients expect it. Tool calls of this server are not part of it. */
import type { FinishReason, LanguageModelUsage } from 'ai';

/** What all parts of one answer share. */
export interface AnswerHeader {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export interface OpenAIUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** The whole answer at once. */
export function completion(
  header: AnswerHeader,
  { text, finishReason, usage }: { text: string; finishReason: FinishReason; usage: LanguageModelUsage },
): object {
  const message = { role: 'assistant', content: text, refusal: null };
  return {
    ...header,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: openAIFinishReason(finishReason) }],
    usage: openAIUsage(usage),
  };
}

/** A piece of the answer. */
export function chunk(header: AnswerHeader, delta: object, finishReason: string | null = null): object {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finishReason }];
  return { ...header, object: 'chat.completion.chunk', choices };
}

/** The last piece, where the client asked for it: no text, only the count. */
export function usageChunk(header: AnswerHeader, usage: LanguageModelUsage): object {
  return { ...header, object: 'chat.completion.chunk', choices: [], usage: openAIUsage(usage) };
}

/** An agent that still wanted to call tools was cut short by its limit of steps: that is `length` to the client. */
export function openAIFinishReason(reason: FinishReason): 'stop' | 'length' | 'content_filter' {
  if (reason === 'content-filter') return 'content_filter';
  return reason === 'length' || reason === 'tool-calls' ? 'length' : 'stop';
}

function openAIUsage({ inputTokens = 0, outputTokens = 0, totalTokens }: LanguageModelUsage): OpenAIUsage {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: totalTokens ?? inputTokens + outputTokens,
  };
}
