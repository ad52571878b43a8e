/** Runs a script in a process of its own, and reads the JSON that it prints. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Each process imports all contenders: most of its time, where they are compiled anew. */
const COMPILED = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url));

export async function runProcess<Result>(script: URL, args: readonly string[]): Promise<Result> {
  const flags = ['--expose-gc', '--max-old-space-size=8192', '--conditions=@evercache/source', '--no-warnings'];
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED };
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, fileURLToPath(script), ...args], { env });
  return JSON.parse(stdout) as Result;
}
