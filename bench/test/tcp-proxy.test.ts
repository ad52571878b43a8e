import { connect, createServer, type Socket } from 'node:net';
import { Client, Pool } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { usePostgres } from '../../test/support/use-postgres.ts';
import { FrontendMessages } from '../frontend-messages.ts';
import { TcpProxy } from '../tcp-proxy.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe('FrontendMessages', () => {
  const startup = message('', int32(196_608), 'user\0me\0\0');
  const sslRequest = message('', int32(80_877_103));
  const conversation = Buffer.concat([
    startup,
    message('p', 'password\0'),
    message('Q', 'select   1\n from dual\0'),
    message('P', 'named\0select $1\0', int16(0)),
    message('B', '\0named\0', int16(0), int16(0), int16(0)),
    message('D', 'P\0'),
    message('E', '\0', int32(0)),
    message('S'),
    // Prepared once, executed again; a body that looks like messages; a name that is cut differently in bytes and letters.
    message('B', 'pörtal\0named\0', int16(0), int16(1), int32(9), 'Q\0\0\0\x05E\0\0\0', int16(0)),
    message('E', 'pörtal\0', int32(0)),
    message('E', 'pörtal\0', int32(0)),
    message('C', 'Spörtal\0'),
    message('S'),
    message('X'),
  ]);
  const executed = ['select 1 from dual', 'select $1', 'select $1', 'select $1'];

  test('hears executed statements and nothing else', () => {
    expect(read([conversation])).toEqual(executed);
  });

  test('does not care where the chunks are cut', () => {
    const bytes = Array.from(conversation, (byte) => Buffer.from([byte]));
    expect(read(bytes)).toEqual(executed);
    for (let at = 1; at < conversation.length; at += 1) {
      expect(read([conversation.subarray(0, at), conversation.subarray(at)])).toEqual(executed);
    }
  });

  test('takes a request for TLS that the server declines for what it is', () => {
    expect(read([Buffer.concat([sslRequest, conversation])])).toEqual(executed);
  });

  test('says so when TLS leaves nothing to read', () => {
    expect(() => read([sslRequest, Buffer.from([0x16, 3, 1, 0, 5])])).toThrow('got TLS');
  });

  function read(chunks: readonly Buffer[]): string[] {
    const heard: string[] = [];
    const messages = new FrontendMessages((text) => heard.push(text));
    for (const chunk of chunks) messages.push(chunk);
    return heard;
  }
});

describe('TcpProxy', () => {
  test('passes bytes through unchanged, in both directions and at any delay', async () => {
    const proxy = await proxyTo(await listen((socket) => socket.pipe(socket)));
    // Not PostgreSQL, but never a whole message either: a length of 2 GB comes first.
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index < 4 ? 0x7f : (index * 7919) % 256)));
    const { socket, received } = open(proxy.port);
    for (let start = 0, turn = 0; start < sent.length; start += 10_000, turn += 1) {
      proxy.proxy.delayMs = [4, 0, 1][turn % 3]!; // a chunk that waits less must not overtake
      socket.write(sent.subarray(start, start + 10_000));
      await new Promise(setImmediate);
    }
    socket.end();
    expect((await received).equals(sent)).toBe(true);
  });

  test('adds its delay to a round trip, once for requests that are sent together', async () => {
    const proxy = await proxyTo(await listen((socket) => socket.pipe(socket)));
    const { socket } = open(proxy.port);
    const roundTrip = async (requests: number): Promise<number> => {
      const started = performance.now();
      let left = requests;
      const answered = new Promise<void>((resolve) => {
        socket.on('data', function count(chunk: Buffer) {
          left -= chunk.length;
          if (left > 0) return;
          socket.off('data', count);
          resolve();
        });
      });
      for (let index = 0; index < requests; index += 1) {
        socket.write('\x7f');
        await new Promise(setImmediate);
      }
      await answered;
      return performance.now() - started;
    };
    await roundTrip(1);
    proxy.proxy.delayMs = 50;
    const alone = await roundTrip(1);
    expect(alone).toBeGreaterThanOrEqual(50);
    const together = await roundTrip(3);
    expect(together).toBeGreaterThanOrEqual(50);
    expect(together).toBeLessThan(100);
    proxy.proxy.delayMs = 0;
    expect(await roundTrip(1)).toBeLessThan(50);
  });

  test('cuts both ends when one of them breaks', async () => {
    const proxy = await proxyTo(await listen((socket) => socket.resetAndDestroy()));
    await expect(open(proxy.port).received).rejects.toThrow('ECONNRESET');
  });
});

describe('TcpProxy before PostgreSQL', () => {
  const database = usePostgres();

  test('counts what pg sends: simple, unnamed and named statements', async () => {
    const { proxy, url } = await proxyToPostgres();
    const client = new Client({ connectionString: url });
    await client.connect();
    cleanUps.push(() => client.end());
    await client.query('select 1 as one');
    await client.query('select $1::int as two', [2]);
    for (let index = 0; index < 3; index += 1) {
      const { rows } = await client.query({ name: 'three', text: 'select $1::int as three', values: [index] });
      expect(rows).toEqual([{ three: index }]);
    }
    await expect(client.query('select missing')).rejects.toThrow('missing');
    expect(proxy.counts()).toEqual({
      'select 1 as one': 1,
      'select $1::int as two': 1,
      'select $1::int as three': 3,
      'select missing': 1,
    });
  });

  test('delays statements on several connections side by side', async () => {
    const { proxy, url } = await proxyToPostgres();
    const pool = new Pool({ connectionString: url, max: 3 });
    cleanUps.push(() => pool.end());
    const three = () => Promise.all([1, 2, 3].map((value) => pool.query('select $1::int', [value])));
    await three();
    proxy.delayMs = 100;
    const started = performance.now();
    await three();
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(100);
    expect(took).toBeLessThan(200);
  });

  async function proxyToPostgres(): Promise<{ proxy: TcpProxy; url: string }> {
    const url = new URL(database.url);
    const { proxy, port } = await proxyTo(Number(url.port || 5432), url.hostname);
    url.host = `127.0.0.1:${port}`;
    return { proxy, url: url.href };
  }
});

async function proxyTo(port: number, host = '127.0.0.1'): Promise<{ proxy: TcpProxy; port: number }> {
  const proxy = new TcpProxy({ host, port });
  cleanUps.push(() => proxy.close());
  return { proxy, port: await proxy.listen() };
}

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as { port: number }).port;
}

function open(port: number): { socket: Socket; received: Promise<Buffer> } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  cleanUps.push(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const received = new Promise<Buffer>((resolve, reject) => {
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
  });
  received.catch(() => {});
  return { socket, received };
}

function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  return int32(value).subarray(2);
}
