import { ToolLoopAgent } from 'ai';
import { describe, expect, test } from 'vitest';
import { generateAnswer } from '../src/agent-answer.ts';
import { toHttpError } from '../src/error-handler.ts';
import { streamAnswer } from '../src/routes/stream-answer.ts';
import { createServerLog } from '../src/server-log.ts';
import { forever, ScriptedModel, whileWanted } from './support/scripted-model.ts';

describe("an agent's own deadline", () => {
  const call = { messages: [{ role: 'user' as const, content: 'x' }], abortSignal: new AbortController().signal };
  test('ends a stream with a timeout that the client can tell from other failures', async () => {
    const agent = new ToolLoopAgent({ model: new ScriptedModel(() => ['begun', forever]), timeout: { totalMs: 30 } });
    const events: string[] = [];
    const answer = streamAnswer({
      agent,
      call,
      header: { id: '1', created: 0, model: 'm' },
      includeUsage: false,
      requestId: 'req_1',
      log: createServerLog('silent'),
    });
    for await (const event of answer) events.push(event);
    expect(events.at(-1)).toMatch(
      /^data: \{"error":\{"message":"[^"]*req_1[^"]*","type":"server_error","param":null,"code":"model_timeout"\}\}\n\n$/,
    );
  });

  test('ends an answer in one piece with the same', async () => {
    const agent = new ToolLoopAgent({
      model: new ScriptedModel(() => ['begun', whileWanted]),
      timeout: { totalMs: 30 },
    });
    const error = await generateAnswer(agent, call).catch((thrown: unknown) => thrown);
    expect(toHttpError(error, 'req_1').code).toBe('model_timeout');
  });
});
