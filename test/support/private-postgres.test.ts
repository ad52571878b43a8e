import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { isRunning } from './process-tree.ts';
import { usePrivatePostgres } from './use-postgres.ts';

describe('a private PostgreSQL', () => {
  const own = usePrivatePostgres();

  test('keeps its data over a kill and a restart, on the same port', async () => {
    const url = await own.server.createDatabase();
    await query(url, 'create table kept as select 1 as n');
    const { pid, port } = own.server;
    await own.server.kill();
    expect(isRunning(pid)).toBe(false);
    await expect(query(url, 'select 1')).rejects.toThrow('ECONNREFUSED');
    await own.server.restart();
    expect(own.server.port).toBe(port);
    expect(await query(url, 'select n from kept')).toEqual([{ n: 1 }]);
  });

  test('gives no answer while it is frozen, and the answer when it thaws', async () => {
    const client = new Client(own.server.url);
    await client.connect();
    own.server.freeze();
    let answered = false;
    const answer = client.query('select 1 as n').then(({ rows }) => {
      answered = true;
      return rows;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    own.server.thaw();
    expect(await answer).toEqual([{ n: 1 }]);
    await client.end();
  });

  test('leaves neither a process nor a directory behind when the test process is killed', async () => {
    const script = `
      const { startPrivatePostgres } = await import('./private-postgres.ts');
      const server = await startPrivatePostgres();
      const { Client } = await import('pg');
      const client = new Client(server.url);
      await client.connect();
      const { rows } = await client.query('show data_directory');
      console.log(JSON.stringify({ pid: server.pid, directory: rows[0].data_directory }));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: dirname(fileURLToPath(import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))));
    const { pid, directory } = JSON.parse(said) as { pid: number; directory: string };
    expect([isRunning(pid), existsSync(directory)]).toEqual([true, true]);
    child.kill('SIGKILL');
    await expect
      .poll(() => [isRunning(pid), existsSync(dirname(directory))], { timeout: 5000 })
      .toEqual([false, false]);
  });
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
