/**
 * The model that is always there: no network, no key, the same answer every time. It does not think; it says what it
 * is and what it was told, and calls tools when a line of the user's message says so:
 *
 *     call get_tasks {"status": "open"}
 *
 * One tool per step, in the order of the lines; then it answers with the results.
 */
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4ToolResultPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';

/** What the model does in one step: call one tool, or answer. */
type Step =
  | { readonly type: 'tool-call'; readonly toolCallId: string; readonly toolName: string; readonly input: string }
  | { readonly type: 'text'; readonly text: string };

const DIRECTIVE = /^call ([a-zA-Z0-9_-]{1,64})(?: (.*))?$/gm;

export class OfflineModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4' as const;
  readonly provider = 'offline';
  readonly supportedUrls: LanguageModelV4['supportedUrls'] = {};
  readonly modelId: string;

  constructor(modelId = 'offline') {
    this.modelId = modelId;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    options.abortSignal?.throwIfAborted();
    const step = nextStep(options);
    return { content: [step], finishReason: finishReason(step), usage: usage(options, step), warnings: [] };
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const { abortSignal } = options;
    abortSignal?.throwIfAborted();
    const parts = streamParts(options, nextStep(options));
    const stream = new ReadableStream<LanguageModelV4StreamPart>({
      pull: async (controller) => {
        // Its own turn for each part: a reader sees them one by one, and an abort comes between two of them.
        await new Promise(setImmediate);
        if (abortSignal?.aborted) return controller.error(abortSignal.reason);
        const next = parts.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
    });
    return { stream };
  }
}

function nextStep({ prompt, maxOutputTokens }: LanguageModelV4CallOptions): Step {
  const asked = prompt.findLastIndex(({ role }) => role === 'user');
  const text = textOf(prompt[asked]);
  const results = prompt.slice(asked + 1).flatMap((message) => {
    if (message.role !== 'tool') return [];
    return message.content.filter((part) => part.type === 'tool-result');
  });
  const directive = [...text.matchAll(DIRECTIVE)][results.length];
  if (directive !== undefined) {
    const [, toolName = '', input = ''] = directive;
    return { type: 'tool-call', toolCallId: `call_${results.length + 1}`, toolName, input: input.trim() || '{}' };
  }
  const words = answer(text, results).match(/\S+\s*/g) ?? [];
  return { type: 'text', text: words.slice(0, maxOutputTokens).join('') };
}

function answer(asked: string, results: readonly LanguageModelV4ToolResultPart[]): string {
  if (results.length > 0) return results.map(({ toolName, output }) => `${toolName} -> ${show(output)}`).join('\n');
  return `I am the built-in offline model: I call tools when told to ("call <tool> <json>") and repeat what I hear. You said: ${asked}`;
}

function show(output: LanguageModelV4ToolResultPart['output']): string {
  if (output.type === 'text' || output.type === 'error-text') return output.value;
  return JSON.stringify('value' in output ? output.value : output);
}

function* streamParts(options: LanguageModelV4CallOptions, step: Step): Generator<LanguageModelV4StreamPart> {
  yield { type: 'stream-start', warnings: [] };
  if (step.type === 'text') {
    yield { type: 'text-start', id: 'answer' };
    for (const delta of step.text.match(/\S+\s*/g) ?? []) yield { type: 'text-delta', id: 'answer', delta };
    yield { type: 'text-end', id: 'answer' };
  } else {
    yield { type: 'tool-input-start', id: step.toolCallId, toolName: step.toolName };
    yield { type: 'tool-input-delta', id: step.toolCallId, delta: step.input };
    yield { type: 'tool-input-end', id: step.toolCallId };
    yield step;
  }
  yield { type: 'finish', finishReason: finishReason(step), usage: usage(options, step) };
}

function finishReason(step: Step): LanguageModelV4FinishReason {
  return { unified: step.type === 'text' ? 'stop' : 'tool-calls', raw: undefined };
}

/** It counts words where a model counts tokens. */
function usage({ prompt }: LanguageModelV4CallOptions, step: Step): LanguageModelV4Usage {
  const input = prompt.reduce((sum, message) => sum + countWords(textOf(message)), 0);
  const output = countWords(step.type === 'text' ? step.text : step.input);
  return {
    inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: output, reasoning: undefined },
  };
}

function textOf(message: LanguageModelV4CallOptions['prompt'][number] | undefined): string {
  if (message === undefined) return '';
  if (message.role === 'system') return message.content;
  return message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}
