/**
 * Reads a conversation as OpenAI's clients send it. What this server cannot do justice to (images, tools run by the
 * client) is refused with a clear message, never dropped in silence.
 */
import type { ModelMessage } from 'ai';
import { HttpError } from './errors.ts';
import { describeValue } from './schema-error.ts';

/** A message whose role the JSON schema has checked already; its content is checked here. */
export interface OpenAIMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function';
  readonly content?: unknown;
  readonly tool_calls?: unknown;
}

export interface Conversation {
  /** The messages of user and assistant, in order. */
  readonly messages: ModelMessage[];
  /** What `system` and `developer` messages said, in order. */
  readonly instructions: string | undefined;
}

/** @throws HttpError `invalid_request` that names the message and the part at fault. */
export function readConversation(messages: readonly OpenAIMessage[]): Conversation {
  const conversation: ModelMessage[] = [];
  const instructions: string[] = [];
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`;
    const { role } = message;
    if (role === 'tool' || role === 'function' || hasEntries(message.tool_calls)) {
      const param = role === 'assistant' ? `${at}.tool_calls` : `${at}.role`;
      throw refuse(param, 'tools are run by this server; expected no tool calls and no tool results');
    }
    const text = textOf(message.content, role, `${at}.content`);
    if (role === 'system' || role === 'developer') instructions.push(text);
    else conversation.push({ role, content: text });
  }
  if (!conversation.some(({ role }) => role === 'user')) {
    throw refuse('messages', 'expected at least one message with the role "user", got none');
  }
  return { messages: conversation, instructions: instructions.join('\n\n').trim() || undefined };
}

function hasEntries(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** Text, or an array of text parts. An assistant that only refused, or said nothing, has null or no content. */
function textOf(content: unknown, role: OpenAIMessage['role'], at: string): string {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map((part, index) => textOfPart(part, `${at}[${index}]`)).join('');
  if (role === 'assistant' && (content === null || content === undefined)) return '';
  throw refuse(at, `expected text or an array of text parts, got ${describeValue(content)}`);
}

function textOfPart(part: unknown, at: string): string {
  const { type, text, refusal } = (typeof part === 'object' && part !== null ? part : {}) as Record<string, unknown>;
  if (type === 'text' && typeof text === 'string') return text;
  if (type === 'refusal' && typeof refusal === 'string') return refusal;
  if (typeof type === 'string' && type !== 'text' && type !== 'refusal') {
    throw refuse(`${at}.type`, `expected "text", got ${JSON.stringify(type.slice(0, 50))}`);
  }
  throw refuse(at, `expected { "type": "text", "text": "..." }, got ${describeValue(part)}`);
}

function refuse(param: string, problem: string): HttpError {
  return new HttpError('invalid_request', `${param}: ${problem}`, { param });
}
