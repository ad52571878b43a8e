/** Asks a process of the bench's own, and waits for its answer. A process that ends instead fails the bench. */
import type { ChildProcess } from 'node:child_process';

/** `what`: what kind of process it is, for the error. One question at a time. */
export function askProcess(child: ChildProcess, message: object | string, what: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (code: number | null): void => reject(new Error(`${what} ended with code ${code}`));
    child.once('exit', failed);
    child.once('message', (answer) => {
      child.off('exit', failed);
      resolve(answer);
    });
    child.send(message);
  });
}
