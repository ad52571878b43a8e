/**
 * Signals to a process and everything below it. Every PostgreSQL backend leads a process group of its own, so a signal
 * to the postmaster's group would miss them all.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Sends the signal to the process and its children; whoever has already gone is passed over. */
export function signalTree(pid: number, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  // A running parent could fork between our look and our signal, so it stands still first.
  send(pid, 'SIGSTOP');
  const children = childrenOf(pid);
  if (signal === 'SIGCONT') {
    for (const child of children) send(child, signal);
    send(pid, signal);
  } else {
    if (signal === 'SIGKILL') send(pid, signal);
    for (const child of children) send(child, signal);
  }
}

/** Whether the process still runs (a zombie does not). */
export function isRunning(pid: number): boolean {
  return processes().some((process) => process.pid === pid);
}

export function childrenOf(pid: number): number[] {
  return processes()
    .filter((process) => process.parent === pid)
    .map((process) => process.pid);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function processes(): { pid: number; parent: number }[] {
  return process.platform === 'linux' ? fromProc() : fromPs();
}

function fromProc(): { pid: number; parent: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      // pid (command) state parent ...; the command may contain spaces and parentheses.
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' ? [] : [{ pid, parent: Number(parent) }];
    } catch {
      return [];
    }
  });
}

function fromPs(): { pid: number; parent: number }[] {
  return execFileSync('ps', ['-axo', 'pid=,ppid=,stat='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}
