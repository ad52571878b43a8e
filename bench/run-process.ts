/** Runs a script in a process of its own, and reads the JSON that it prints. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export async function runProcess<Result>(script: URL, args: readonly string[]): Promise<Result> {
  const flags = ['--expose-gc', '--max-old-space-size=8192', '--conditions=@evercache/source', '--no-warnings'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, fileURLToPath(script), ...args]);
  return JSON.parse(stdout) as Result;
}
