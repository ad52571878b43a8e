import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateText } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createModelFactory, ModelNotConfigured } from '../src/agents/model.ts';

interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** An endpoint that answers every question in the same way, and remembers it. */
class Endpoint {
  seen: Seen[] = [];
  readonly #server: Server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    this.seen.push({ headers: request.headers, body: JSON.parse(text) });
    const choice = { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: '1', object: 'chat.completion', created: 0, model: 'm', choices: [choice] }));
  });

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe('the model of an agent', () => {
  const ours = new Endpoint();
  const theirs = new Endpoint();
  beforeAll(() => Promise.all([ours.listen(), theirs.listen()]));
  afterAll(() => [ours, theirs].map((endpoint) => endpoint.close()));
  beforeEach(() => {
    ours.seen = [];
    theirs.seen = [];
  });

  it('is the offline model where there is no endpoint, or where the row says so', () => {
    expect(createModelFactory()({ max_steps: 1 }).provider).toBe('offline');
    expect(createModelFactory({ baseUrl: ours.url })({ provider: 'offline', max_steps: 1 }).provider).toBe('offline');
  });

  it("is the server's endpoint, with its key, where there is one", async () => {
    const create = createModelFactory({ baseUrl: ours.url, apiKey: 'ours', model: 'small' });
    const { text } = await generateText({
      model: create({ max_steps: 1 }),
      prompt: 'hi',
      maxOutputTokens: 7,
      temperature: 0,
    });
    expect(text).toBe('hello');
    expect(ours.seen[0]?.headers.authorization).toBe('Bearer ours');
    expect(ours.seen[0]?.body).toMatchObject({ model: 'small', max_tokens: 7, temperature: 0 });
    await generateText({ model: create({ model: 'big', max_steps: 1 }), prompt: 'hi' });
    expect(ours.seen[1]?.body).toMatchObject({ model: 'big' });
  });

  it("is the row's endpoint with the row's secret, and never sees the server's key", async () => {
    const create = createModelFactory({ baseUrl: ours.url, apiKey: 'ours', secrets: { THEIRS: 'theirs' } });
    const row = { provider: 'openai-compatible', base_url: theirs.url, max_steps: 1 } as const;
    await generateText({ model: create({ ...row, api_key: { $secret: 'THEIRS' } }), prompt: 'hi' });
    await generateText({ model: create(row), prompt: 'hi' });
    expect(theirs.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer theirs', undefined]);
    expect(ours.seen).toEqual([]);
  });

  it('is none, instead of another, where the server lacks what the row asks for', () => {
    const create = createModelFactory({ secrets: { THEIRS: 'theirs' } });
    const row = { provider: 'openai-compatible', max_steps: 1 } as const;
    expect(() => create(row)).toThrow(ModelNotConfigured);
    for (const $secret of ['PATH', 'OPENAI_API_KEY', 'constructor']) {
      expect(() => create({ ...row, base_url: theirs.url, api_key: { $secret } })).toThrow(ModelNotConfigured);
    }
  });
});
