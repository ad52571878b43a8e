/** What must not grow while a process lives: memory, timers, listeners. */
import { getEventListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type Sample, type Trend, trendOf } from './trend.ts';

export type GaugeName = 'heap' | 'timers' | 'resources' | 'listeners';

/** By so much a gauge may surely grow after the warm-up, however long the run: the longer, the smaller leaks it finds. */
export const LIMITS: Readonly<Record<GaugeName, number>> = {
  heap: 2 * 1_048_576,
  timers: 30,
  resources: 60,
  listeners: 5,
};
/** The caches fill up, the code is compiled. */
const WARM_UP_SHARE = 0.25;

export interface Gauged {
  /** Timers that are pending on the clocks of the caches. */
  timers(): number;
  /** The signals that live long. */
  signals(): readonly AbortSignal[];
}

export class Gauges {
  readonly #samples: Readonly<Record<GaugeName, Sample[]>> = { heap: [], timers: [], resources: [], listeners: [] };
  readonly #gauged: Gauged;
  readonly #startedAt = performance.now();

  constructor(gauged: Gauged) {
    if (globalThis.gc === undefined) throw new Error('run node with --expose-gc: only what survives it is a leak');
    this.#gauged = gauged;
  }

  sample(): void {
    globalThis.gc!();
    const listeners = this.#gauged.signals().map((signal) => getEventListeners(signal, 'abort').length);
    this.#note('heap', process.memoryUsage().heapUsed);
    this.#note('timers', this.#gauged.timers());
    this.#note('resources', process.getActiveResourcesInfo().length);
    this.#note('listeners', Math.max(0, ...listeners));
  }

  last(name: GaugeName): number {
    return this.#samples[name].at(-1)?.value ?? 0;
  }

  trend(name: GaugeName): Trend {
    const samples = this.#samples[name];
    return trendOf(samples.slice(Math.floor(samples.length * WARM_UP_SHARE)));
  }

  #note(name: GaugeName, value: number): void {
    this.#samples[name].push({ seconds: (performance.now() - this.#startedAt) / 1_000, value });
  }
}
