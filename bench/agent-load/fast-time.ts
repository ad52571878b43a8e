/**
 * Loaded before a process's own code: its time passes `SPEED_OF_TIME` times as fast, so that minutes of what happens by
 * the clock take seconds. Timers and the monotonic clock agree; what takes its own time (the network, the database, the
 * CPU) takes as long as ever, and so seems so many times slower. Chance is the same in every such process: caches come
 * a little early by chance, and two processes that are compared must come equally early.
 */
import { createRandom } from '../random.ts';

const speed = Number(process.env.SPEED_OF_TIME);
if (!(speed >= 1)) throw new TypeError(`SPEED_OF_TIME: expected a number from 1, got "${process.env.SPEED_OF_TIME}"`);

const { setTimeout, setInterval } = globalThis;
const now = performance.now.bind(performance);
const faster = (ms: number | undefined): number => (ms ?? 0) / speed;

globalThis.setTimeout = Object.assign(
  (run: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) => setTimeout(run, faster(ms), ...values),
  setTimeout,
);
globalThis.setInterval = ((run: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) =>
  setInterval(run, faster(ms), ...values)) as typeof globalThis.setInterval;
performance.now = () => now() * speed;
Math.random = createRandom(5);
