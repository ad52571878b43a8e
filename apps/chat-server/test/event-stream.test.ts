import Fastify from 'fastify';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { sendEvents, sseComment, sseData } from '../src/event-stream.ts';

describe('sseComment', () => {
  test('cannot be left: a line break in a name does not begin an event', () => {
    expect(sseComment('tool-call x\n\ndata: {"forged":true}\r\rdata: y')).toBe(
      ': tool-call x data: {"forged":true} data: y\n\n',
    );
  });
});

describe('sendEvents', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('sends a comment whenever nothing was said for a while, so that proxies keep the connection', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let speak: () => void = () => {};
    const silence = new Promise<void>((resolve) => {
      speak = resolve;
    });
    async function* events(): AsyncGenerator<string> {
      yield sseData('first');
      await silence;
      yield sseData('last');
    }
    const app = Fastify();
    app.get('/', (_request, reply) => sendEvents(reply, events(), 1000));
    const answer = app.inject('/');
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(2500);
    speak();
    vi.useRealTimers();
    const { body, headers } = await answer;
    expect(body).toBe('data: first\n\n: heartbeat\n\n: heartbeat\n\ndata: last\n\n');
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  });

  test('leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    async function* events(): AsyncGenerator<string> {
      yield sseData('only');
    }
    const app = Fastify();
    app.get('/', (_request, reply) => sendEvents(reply, events(), 1000));
    await app.inject('/');
    expect(vi.getTimerCount()).toBe(0);
  });
});
