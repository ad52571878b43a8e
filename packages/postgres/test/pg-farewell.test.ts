/** A server that says goodbye in the same breath as hello: one that is being stopped, or whose postmaster has just died. */
import { createServer, type Server } from 'node:net';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { context } from './use-client.ts';

let server: Server;
let port: number;

/** A message of PostgreSQL's protocol. */
function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

beforeAll(async () => {
  const hello = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))];
  const goodbye = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0'));
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(Buffer.concat([...hello, goodbye])));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

test('a connection that ends as it begins is a failed read, and not the end of the process', async () => {
  const client = new Pool({ host: '127.0.0.1', port, user: 'nobody', database: 'none' });
  const source = postgresSource({ client, select: 'select 1 as id', key: 'id' });
  await expect(source.fetchOne('1', context())).rejects.toMatchObject({ name: 'PostgresError', reachable: false });
  await client.end();
});
