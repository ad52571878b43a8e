/** How long work keeps the thread: CPU time between two turns of the event loop, and what others see of it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { quantile } from '../statistics.ts';

export interface Slices {
  /** 99.9 % of the turns with work in them took no more CPU time than this, garbage collection on this thread included. */
  readonly cpuMs: number;
  readonly cpuMaxMs: number;
  /** The longest time in which no timer ran: others on the machine count, too. */
  readonly blockMs: number;
}

/** What a turn takes in which nothing is done, at most: in milliseconds by the wall. */
const IDLE_MS = 0.1;

export async function watchSlices(work: () => Promise<unknown>): Promise<Slices> {
  const slices: number[] = [0];
  let over = false;
  let last = { cpu: cpu(), wall: performance.now() };
  const turn = (): void => {
    const now = { cpu: cpu(), wall: performance.now() };
    // Empty turns, of which there are thousands, would hide the others.
    const wall = now.wall - last.wall;
    // Linux counts CPU time in ticks of some milliseconds: a turn may be given more of it than has passed.
    if (wall > IDLE_MS) slices.push(Math.min(now.cpu - last.cpu, wall));
    last = now;
    if (!over) setImmediate(turn);
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  setImmediate(turn);
  await work();
  over = true;
  delay.disable();
  return { cpuMs: quantile(slices, 0.999), cpuMaxMs: quantile(slices, 1), blockMs: delay.max / 1e6 };
}

/** Of this thread, in milliseconds. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
