/**
 * One process per data directory: two embedded databases over the same files would destroy each other's work without
 * a word. The lock is a socket, because the system closes it with the process, however that ends; a file with a
 * process id would outlive a crash, and the id may belong to somebody else by then.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The system's limit for the path of a socket. */
const MAX_SOCKET_PATH = 100;

/** Takes the lock of a directory that exists; answers how to give it back. Throws if another process has it. */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = socketPath(directory);
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    if (await listens(server, path)) {
      server.unref();
      return () => new Promise((done) => server.close(() => done()));
    }
    if (await isAlive(path)) {
      throw new Error(`the data directory ${resolve(directory)} is in use by another process`);
    }
    await rm(path, { force: true }); // left behind by a process that was killed
  }
}

function socketPath(directory: string): string {
  const path = join(resolve(directory), 'lock');
  const name = `evercache-${createHash('sha256').update(path).digest('hex').slice(0, 16)}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  return path.length <= MAX_SOCKET_PATH ? path : join(tmpdir(), name);
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((done, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? done(false) : failed(error)));
    server.listen(path, () => done(true));
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
