/** The real clock, which knows how many timers are pending on it. */
import { type Clock, systemClock } from '../src/clock.ts';
import type { Random } from './random.ts';

export class CountingClock implements Clock {
  pending = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  now(): number {
    return systemClock.now();
  }

  random(): number {
    return this.#random.next();
  }

  setTimer(run: () => void, delayMs: number, keepAlive?: boolean): () => void {
    this.pending += 1;
    let isPending = true;
    const end = (): void => {
      if (isPending) this.pending -= 1;
      isPending = false;
    };
    const cancel = systemClock.setTimer(
      () => {
        end();
        run();
      },
      delayMs,
      keepAlive,
    );
    return () => {
      end();
      cancel();
    };
  }
}
