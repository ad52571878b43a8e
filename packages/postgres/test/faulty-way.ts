/** What may lie between a bell and its database: a pooler that forwards only answers, a line that went dead. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * `open`: everything passes. `deaf`: notifications pass only while a statement is under way, as in a pooler in
 * transaction mode, where nobody has the client's connection otherwise. `dead`: nothing passes, nothing is closed.
 */
type Mode = 'open' | 'deaf' | 'dead';

const READY = 'Z'.charCodeAt(0);
const NOTIFICATION = 'A'.charCodeAt(0);

export class FaultyWay {
  mode: Mode;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: URL, mode: Mode) {
    this.mode = mode;
    this.#server = createServer((client) => {
      const server = connect(Number(target.port), target.hostname);
      for (const [socket, peer] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket.setNoDelay(true));
        socket.on('error', () => peer.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          if (this.mode !== 'dead') peer.destroy();
        });
      }
      this.#forward(client, server);
    });
  }

  /** The URL that leads along this way. */
  async listen(target: URL): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const url = new URL(target);
    url.port = String((this.#server.address() as { port: number }).port);
    return url.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #forward(client: Socket, server: Socket): void {
    let underWay = true;
    let rest: Buffer = Buffer.alloc(0);
    client.on('data', (chunk) => {
      underWay = true;
      if (this.mode !== 'dead') server.write(chunk);
    });
    server.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
        const size = 1 + rest.readInt32BE(1);
        const [message, kind] = [rest.subarray(0, size), rest[0]];
        rest = rest.subarray(size);
        const heard = kind !== NOTIFICATION || underWay || this.mode === 'open';
        if (heard && this.mode !== 'dead') client.write(message);
        if (kind === READY) underWay = false;
      }
    });
  }
}

/** A way to the database of that URL, until the test ends. */
export async function openWay(url: string, mode: Mode): Promise<{ readonly way: FaultyWay; readonly url: string }> {
  const target = new URL(url);
  const way = new FaultyWay(target, mode);
  onTestFinished(() => way.close());
  return { way, url: await way.listen(target) };
}
