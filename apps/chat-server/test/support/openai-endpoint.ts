/** A model endpoint in OpenAI's protocol that begins to answer and goes on when it is told to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface OpenAIEndpoint {
  readonly baseUrl: string;
  /** Headers and body of each request. */
  readonly requests: { authorization: string | undefined; body: { model: string; messages: unknown[] } }[];
  /** Lets every answer come to its end. */
  finish(): void;
}

export async function startOpenAIEndpoint(): Promise<OpenAIEndpoint> {
  const requests: OpenAIEndpoint['requests'] = [];
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    requests.push({ authorization: request.headers.authorization, body: JSON.parse(body) });
    const send = (delta: object, finish_reason: string | null = null): void => {
      const chunk = {
        id: 'c',
        object: 'chat.completion.chunk',
        created: 0,
        model: 'm',
        choices: [{ index: 0, delta, finish_reason }],
      };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    send({ role: 'assistant', content: 'begun ' });
    await finished;
    send({ content: 'and done' });
    send({}, 'stop');
    response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests, finish };
}
