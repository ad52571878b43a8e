import { generateText, jsonSchema, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { OfflineModel } from '../src/agents/offline-model.ts';

const model = new OfflineModel();
const add = tool({
  inputSchema: jsonSchema<{ a: number; b: number }>({ type: 'object' }),
  execute: async ({ a, b }) => a + b,
});

describe('the offline model', () => {
  it('says what it is, and what it was told', async () => {
    const { text } = await generateText({ model, prompt: 'good morning' });
    expect(text).toMatch(/offline model.*good morning/s);
  });

  it('calls the tools that the lines of a message name, one a step, then answers with the results', async () => {
    const { text, steps } = await generateText({
      model,
      tools: { add },
      prompt: 'please\ncall add {"a": 1, "b": 2}\ncall add {"a": 40, "b": 2}',
      stopWhen: ({ steps }) => steps.length === 9,
    });
    expect(text).toBe('add -> 3\nadd -> 42');
    expect(steps).toHaveLength(3);
  });

  it('goes by the last message of the user only', async () => {
    const { text } = await generateText({
      model,
      tools: { add },
      messages: [
        { role: 'user', content: 'call add {"a": 1, "b": 2}' },
        { role: 'assistant', content: 'add -> 3' },
        { role: 'user', content: 'thanks' },
      ],
    });
    expect(text).toMatch(/You said: thanks$/);
  });

  it('streams word by word, and says the same as in one piece', async () => {
    const whole = await generateText({ model, prompt: 'one two three' });
    const parts: string[] = [];
    for await (const part of streamText({ model, prompt: 'one two three' }).textStream) parts.push(part);
    expect(parts.length).toBeGreaterThan(10);
    expect(parts.join('')).toBe(whole.text);
  });

  it('stops in the middle of a word when it is told to', async () => {
    const controller = new AbortController();
    const parts: string[] = [];
    const { textStream } = streamText({ model, prompt: 'x '.repeat(1000), abortSignal: controller.signal });
    for await (const part of textStream) {
      parts.push(part);
      if (parts.length === 5) controller.abort();
    }
    expect(parts.length).toBeLessThan(20);
    const again = new AbortController();
    const { stream } = await model.doStream({ prompt: [], abortSignal: again.signal });
    const reader = stream.getReader();
    await reader.read();
    again.abort(new Error('enough'));
    const rest = async (): Promise<never> => {
      for (;;) if ((await reader.read()).done) throw new Error('it went on to the end');
    };
    await expect(rest()).rejects.toThrow('enough');
    await expect(model.doGenerate({ prompt: [], abortSignal: controller.signal })).rejects.toThrow();
  });

  it('keeps to the number of tokens it may use, counting words', async () => {
    const { text, usage } = await generateText({ model, prompt: 'hello', maxOutputTokens: 4 });
    expect(text.trim().split(/\s+/)).toHaveLength(4);
    expect(usage.outputTokens).toBe(4);
  });
});
