/**
 * A TCP proxy before PostgreSQL that counts the statements on the wire and makes the way longer.
 *
 * What it adds: every chunk from the client is held for `delayMs` before it goes to the server; answers pass at once.
 * So each round trip takes `delayMs` longer, plus the hop through the proxy (some tenths of a millisecond, also at 0).
 * Chunks keep their order, and each is held from its own arrival on: ten requests sent together arrive together,
 * `delayMs` later, as on a long line. The TCP handshake is not delayed; the messages of log-in are.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FrontendMessages } from './frontend-messages.ts';

/** How many times each statement was executed, by its text. */
export type StatementCounts = Readonly<Record<string, number>>;

export interface TcpProxyTarget {
  readonly host: string;
  readonly port: number;
}

export class TcpProxy {
  /** Added to each round trip, in milliseconds. Holds for what arrives from now on. */
  delayMs = 0;
  readonly #target: TcpProxyTarget;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();

  constructor(target: TcpProxyTarget) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Listens on a free port of 127.0.0.1, and answers it. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    return address.port;
  }

  /** All statements since the proxy began, by text. */
  counts(): StatementCounts {
    return Object.fromEntries(this.#counts);
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true });
    this.#watch(client, server);
    this.#watch(server, client);
    const messages = new FrontendMessages((text) => this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1));
    const line = new DelayLine();
    client.on('data', (chunk) => {
      try {
        messages.push(chunk);
      } catch (error) {
        client.destroy(error as Error);
        return;
      }
      line.push(this.delayMs, () => server.write(chunk));
    });
    client.on('end', () => line.push(this.delayMs, () => server.end()));
    server.pipe(client);
  }

  #watch(socket: Socket, peer: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => peer.resetAndDestroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** Timers are a millisecond coarse: they wake this much early, and the event loop turns until the moment has come. */
const TIMER_MARGIN_MS = 2;

/** Does things later, in the order they came. */
class DelayLine {
  readonly #waiting: { readonly due: number; readonly deliver: () => void }[] = [];

  push(delayMs: number, deliver: () => void): void {
    if (delayMs === 0 && this.#waiting.length === 0) {
      deliver();
      return;
    }
    this.#waiting.push({ due: performance.now() + delayMs, deliver });
    if (this.#waiting.length === 1) this.#wait();
  }

  #wait(): void {
    const next = this.#waiting[0];
    if (next === undefined) return;
    const left = next.due - performance.now();
    if (left > TIMER_MARGIN_MS) setTimeout(() => this.#wait(), left - TIMER_MARGIN_MS);
    else if (left > 0) setImmediate(() => this.#wait());
    else {
      // Removed only afterwards: what `deliver` makes come in, say an end, must find the line occupied.
      next.deliver();
      this.#waiting.shift();
      this.#wait();
    }
  }
}
