/** A model that does what a test tells it to, and tells the test what was done to it. */
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';

const usage: LanguageModelV4Usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

export class ScriptedModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4' as const;
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls: LanguageModelV4['supportedUrls'] = {};
  /** What it was asked, call by call. */
  readonly calls: LanguageModelV4CallOptions[] = [];
  readonly #script: (call: number) => Step;
  #asked: () => void = () => {};
  /** Resolves when it was asked for the first time. */
  readonly asked: Promise<void> = new Promise((resolve) => {
    this.#asked = resolve;
  });
  #aborted: () => void = () => {};
  /** Resolves when it was told to stop. */
  readonly aborted: Promise<void> = new Promise((resolve) => {
    this.#aborted = resolve;
  });

  constructor(script: (call: number) => Step) {
    this.#script = script;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const content: LanguageModelV4GenerateResult['content'] = [];
    for await (const part of this.#play(options)) {
      if (part instanceof Error) throw part;
      if (typeof part === 'string') content.push({ type: 'text', text: part });
      else content.push({ type: 'tool-call', toolCallId: 'call_1', toolName: part.tool, input: part.input });
    }
    return { content, finishReason: finishReason(content), usage, warnings: [] };
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    return { stream: ReadableStream.from(this.#stream(options)) };
  }

  async *#stream(options: LanguageModelV4CallOptions): AsyncGenerator<LanguageModelV4StreamPart> {
    yield { type: 'stream-start', warnings: [] };
    const said: { type: string }[] = [];
    for await (const part of this.#play(options)) {
      if (part instanceof Error) {
        yield { type: 'error', error: part };
      } else if (typeof part === 'string') {
        const id = String(said.length);
        yield { type: 'text-start', id };
        yield { type: 'text-delta', id, delta: part };
        yield { type: 'text-end', id };
        said.push({ type: 'text' });
      } else {
        yield { type: 'tool-call', toolCallId: 'call_1', toolName: part.tool, input: part.input };
        said.push({ type: 'tool-call' });
      }
    }
    yield { type: 'finish', finishReason: finishReason(said), usage };
  }

  async *#play(options: LanguageModelV4CallOptions): AsyncGenerator<string | ToolCall | Error> {
    this.calls.push(options);
    const { abortSignal } = options;
    abortSignal?.addEventListener('abort', () => this.#aborted(), { once: true });
    this.#asked();
    for (const part of this.#script(this.calls.length)) {
      if (part instanceof Promise) await part;
      else if (typeof part === 'function') await part(abortSignal);
      else yield part;
      abortSignal?.throwIfAborted();
    }
  }
}

interface ToolCall {
  readonly tool: string;
  readonly input: string;
}

/** In order: text, a call of a tool, something to wait for (a rejection breaks the connection), or a failure. */
export type Step = readonly (string | ToolCall | Promise<unknown> | Wait | Error)[];

type Wait = (signal: AbortSignal | undefined) => Promise<unknown>;

/** Waits until it is told to stop, as a model does that listens to its signal. */
export const whileWanted: Wait = (signal) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Waits for ever, as a model that does not listen to its signal. */
export const forever: Promise<never> = new Promise(() => {});

function finishReason(content: readonly { type: string }[]): { unified: 'stop' | 'tool-calls'; raw: undefined } {
  return { unified: content.at(-1)?.type === 'tool-call' ? 'tool-calls' : 'stop', raw: undefined };
}
