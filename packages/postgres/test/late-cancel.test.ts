/** A cancel that comes late must not hit a statement of somebody else. */
import { connect, createServer, type Socket } from 'node:net';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { postgresJsDatabase } from '../src/postgres-js-database.ts';

const CANCEL_REQUEST = 80_877_102;
/** So long the cancel is held back where nobody else gets the connection. */
const HELD_MS = 300;

const server = usePostgres();

/** Between the client and the server: says which statements pass, and holds cancels back. */
async function openProxy(onSent: (text: string) => void, mayCancel: Promise<void>): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    const upstream = connect(Number(port), hostname);
    for (const one of [socket, upstream]) sockets.add(one.on('error', () => {}));
    upstream.pipe(socket);
    socket.on('data', async (bytes) => {
      if (bytes.length === 16 && bytes.readInt32BE(4) === CANCEL_REQUEST) await mayCancel;
      else onSent(bytes.toString('latin1'));
      upstream.write(bytes);
    });
    socket.on('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const url = new URL(server.url);
  url.hostname = '127.0.0.1';
  url.port = String((proxy.address() as { port: number }).port);
  return url.href;
}

test('postgres.js gives a connection back only when the cancel of its statement has arrived', async () => {
  const controller = new AbortController();
  const cancel = Promise.withResolvers<void>();
  const url = await openProxy((text) => {
    // Ours is at the server, and ends by itself soon.
    if (text.includes('as ours')) {
      controller.abort(new Error('stopped'));
      setTimeout(cancel.resolve, HELD_MS);
    }
    if (text.includes('as theirs')) cancel.resolve();
  }, cancel.promise);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  onTestFinished(() => sql.end({ timeout: 1 }));
  const lease = await postgresJsDatabase(sql as never).lease({ signal: controller.signal, snapshot: false });
  const ours = lease.run({ text: 'select pg_sleep(0.05)::text as ours', values: [] });
  await expect(ours).rejects.toThrow('stopped');
  const theirs = await sql.unsafe('select 1 as done from pg_sleep(0.5) as theirs');
  expect(theirs[0]).toEqual({ done: 1 });
});
