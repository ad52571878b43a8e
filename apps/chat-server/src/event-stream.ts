/** Server-sent events: how they are written, and kept alive while nothing happens. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** One event. */
export function sseData(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

/** A comment: seen with curl, ignored by clients. A line break in `text` cannot end the comment and begin an event. */
export function sseComment(text: string): string {
  return `: ${text.replaceAll(/\s+/g, ' ')}\n\n`;
}

/** Sends `events` as they come, and a comment whenever `heartbeatMs` pass without one, so that proxies keep the line. */
export function sendEvents(reply: FastifyReply, events: AsyncIterable<string>, heartbeatMs: number): FastifyReply {
  return reply
    .type('text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(withHeartbeat(events, heartbeatMs)));
}

async function* withHeartbeat(events: AsyncIterable<string>, heartbeatMs: number): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (;;) {
      const result = await Promise.race([next, silence(next, heartbeatMs)]);
      if (result === 'silence') {
        yield sseComment('heartbeat');
        continue;
      }
      if (result.done) return;
      yield result.value;
      next = iterator.next();
    }
  } finally {
    // Not awaited: the events may hang in a model that no longer listens.
    iterator.return?.().catch(() => {});
  }
}

/** Resolves after `ms`, unless `next` comes first: then the timer goes. */
function silence(next: Promise<unknown>, ms: number): Promise<'silence'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('silence'), ms);
    const clear = (): void => clearTimeout(timer);
    next.then(clear, clear);
  });
}
