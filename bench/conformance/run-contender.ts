/** Runs the probes against one contender, in a process of its own. A process that hangs or dies is a result, too. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { probeGroups } from './probe-groups.ts';
import type { Message, Result } from './result.ts';

/** Real time for one probe. They take milliseconds, because time is fake. */
const PROBE_LIMIT_MS = 20_000;
/** Real time for all probes of one contender. */
const CONTENDER_LIMIT_MS = 80_000;

const program = fileURLToPath(new URL('./contender-process.ts', import.meta.url));

/** Results by the id of the probe. */
export async function runContender(name: string): Promise<ReadonlyMap<string, Result>> {
  const ids = probeGroups.flatMap((group) => group.probes.map(({ id }) => id));
  const results = new Map<string, Result>();
  const end = Date.now() + CONTENDER_LIMIT_MS;
  while (results.size < ids.length) {
    const left = ids.filter((id) => !results.has(id));
    if (Date.now() > end) for (const id of left) results.set(id, failed('not run: the time for all probes was over'));
    else await runProcess(name, left, results);
  }
  return results;
}

/** Until the process has done all of these, or has to be replaced. */
function runProcess(name: string, ids: readonly string[], results: Map<string, Result>): Promise<void> {
  return new Promise((resolve, reject) => {
    const execArgv = ['--conditions=@evercache/source', '--expose-gc'];
    const child = fork(program, [name, ...ids], { execArgv, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    let running: string | undefined;
    let limit: NodeJS.Timeout | undefined;
    let ending = 'its process ended';
    child.on('message', (message: Message) => {
      clearTimeout(limit);
      if ('ended' in message) {
        results.set(message.ended, message.result);
        running = undefined;
        return;
      }
      running = message.begun;
      limit = setTimeout(() => {
        ending = `its process did not come back within ${PROBE_LIMIT_MS / 1_000} real seconds`;
        child.kill('SIGKILL');
      }, PROBE_LIMIT_MS);
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(limit);
      if (running !== undefined) results.set(running, failed(ending));
      else if (ids.some((id) => !results.has(id))) {
        // Not a probe's doing: the adapter itself cannot be loaded.
        reject(new Error(`the process of ${name} ended with code ${code} before it began`));
        return;
      }
      resolve();
    });
  });
}

function failed(observed: string): Result {
  return { verdict: 'fail', observed };
}
