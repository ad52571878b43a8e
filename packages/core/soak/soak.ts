/** A run: several caches over one changing truth, read all the time, from the first second to the verdict. */
import { performance } from 'node:perf_hooks';
import { CheckedCache } from './checked-cache.ts';
import { CountingClock } from './counting-clock.ts';
import { Faults } from './faults.ts';
import { Gauges } from './gauges.ts';
import { Random } from './random.ts';
import { Reader } from './reader.ts';
import { ShortLives } from './short-lives.ts';
import { Truth } from './truth.ts';
import { after, type Method, UnsteadySource } from './unsteady-source.ts';

const CACHES: Readonly<Record<string, readonly Method[]>> = {
  whole: ['fetchAll', 'fetchOne'],
  'on demand': ['fetchOne', 'fetchMany'],
  following: ['fetchAll', 'fetchMany', 'fetchChanges', 'watch'],
  // No single reads: everything comes in bulk, so what was committed together is seen together.
  bulk: ['fetchAll', 'fetchChanges', 'watch'],
};
/** The sources of the caches that are started and stopped. */
const SHORT_LIVED: readonly (readonly Method[])[] = [
  ['fetchAll'],
  ['fetchMany'],
  ['fetchAll', 'fetchOne', 'watch'],
  ['fetchAll', 'fetchChanges', 'watch'],
];
const READERS_PER_CACHE = 6;
const CHANGES_EVERY_MS = 5;
/** Nothing takes longer: deadlines, a snapshot after a snapshot, a busy machine. */
const LONGEST_MS = 10_000;

export class Soak {
  readonly faults: Faults = new Faults();
  readonly gauges: Gauges;
  readonly caches: readonly CheckedCache[];
  readonly readers: readonly Reader[];
  readonly shortLives: readonly ShortLives[];
  readonly #truth: Truth;
  readonly #random: Random;
  readonly #controller = new AbortController();
  #isOver = false;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#truth = new Truth(this.#random);
    const parts = {
      truth: this.#truth,
      random: this.#random,
      faults: this.faults,
      signal: this.#controller.signal,
    };
    this.caches = Object.entries(CACHES).map(([name, methods]) => {
      const source = new UnsteadySource(this.#truth, this.#random, methods);
      return new CheckedCache({ name, source, clock: new CountingClock(this.#random), ...parts });
    });
    this.readers = this.caches.flatMap((checked) =>
      Array.from({ length: READERS_PER_CACHE }, () => new Reader({ checked, ...parts })),
    );
    this.shortLives = SHORT_LIVED.map((methods) => new ShortLives(methods, parts));
    this.gauges = new Gauges({
      timers: () => this.caches.reduce((sum, { clock }) => sum + clock.pending, 0),
      signals: () => [parts.signal, ...this.caches.flatMap(({ source }) => source.watchSignals)],
    });
  }

  /** Calls `onTick` after each of `ticks` equal parts of the time. */
  async run(seconds: number, ticks: number, onTick: (tick: number) => void): Promise<void> {
    const startedAt = performance.now();
    // Whatever becomes of the caches: the run lives to tell of it.
    const alive = setInterval(() => undefined, LONGEST_MS);
    await this.#inTime('the caches start', Promise.all(this.caches.map(({ cache }) => cache.start())));
    const isOver = (): boolean => this.#isOver;
    const running = Promise.all([
      ...this.readers.map((reader) => reader.run(isOver)),
      ...this.shortLives.map((lives) => lives.run(isOver)),
      this.#changeAllTheTime(),
    ]);
    // 40 samples at least, and one a second at most.
    const sampleEveryMs = Math.min(1_000, (seconds * 1_000) / 40);
    let tick = 0;
    for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - startedAt) {
      await after(sampleEveryMs);
      this.gauges.sample();
      this.#lookForHanging();
      if (performance.now() - startedAt < ((tick + 1) * seconds * 1_000) / ticks) continue;
      tick += 1;
      onTick(tick);
    }
    this.#isOver = true;
    for (const { source } of this.caches) source.steady = true;
    await this.#inTime('the readers end', running);
    await Promise.all(this.caches.map((checked) => this.#converge(checked)));
    await this.#inTime('the caches stop', Promise.all(this.caches.map(({ cache }) => cache.stop())));
    for (const { name, clock } of this.caches) {
      if (clock.pending > 0) this.faults.note('a stopped cache has timers', `${name}: ${clock.pending}`);
    }
    clearInterval(alive);
  }

  async #changeAllTheTime(): Promise<void> {
    while (!this.#isOver) {
      await after(CHANGES_EVERY_MS);
      for (let count = this.#random.whole(0, 3); count > 0; count -= 1) this.#truth.change();
      for (const { source } of this.caches) source.ring();
    }
  }

  #lookForHanging(): void {
    for (const { current } of this.readers) {
      if (current !== undefined && performance.now() - current.since > LONGEST_MS) {
        this.faults.note('a call hangs', current.deed);
      }
    }
  }

  async #inTime(what: string, promise: Promise<unknown>): Promise<void> {
    const controller = new AbortController();
    const tooLong = after(LONGEST_MS, controller.signal).then(
      () => this.faults.note('something hangs', what),
      () => undefined,
    );
    await Promise.race([promise, tooLong]);
    controller.abort();
  }

  /** After the faults end, a cache becomes what the source is. */
  async #converge(checked: CheckedCache): Promise<void> {
    let difference = 'it was never refreshed';
    const endsAt = performance.now() + LONGEST_MS;
    const refreshing = (async () => {
      while (difference !== '' && performance.now() < endsAt) {
        const { outcome, error } = await checked.cache.refresh({ full: true });
        if (outcome === 'held') checked.cache.accept();
        difference = error?.message ?? this.#difference(checked);
        if (difference !== '') await after(20);
      }
    })();
    await this.#inTime(`${checked.name} is refreshed`, refreshing);
    if (difference === '') return;
    this.faults.note('a cache did not become true after the faults', `${checked.name}: ${difference}`);
  }

  #difference({ cache, source }: CheckedCache): string {
    const { rows } = this.#truth;
    for (const [key, { commit }] of cache.entries()) {
      const expected = rows.get(key)?.commit;
      if (commit !== expected) return `"${key}" is of commit ${commit}, not ${expected}`;
    }
    const isWhole = source.fetchAll === undefined || cache.size === rows.size;
    return isWhole ? '' : `it has ${cache.size} rows, not ${rows.size}`;
  }
}
