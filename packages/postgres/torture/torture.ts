/** A run: servers, writers and mirrors, faults all the time, then peace, and the comparison. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { Chance } from './chance.ts';
import { CheckedMirror } from './checked-mirror.ts';
import { Cluster } from './cluster.ts';
import { DEEDS } from './deeds.ts';
import { expectedOf, MIN_GENERATIONS } from './expected.ts';
import type { Fault, World } from './faults/fault.ts';
import { faultsFor } from './faults/list.ts';
import { Gate } from './gate.ts';
import { History } from './history.ts';
import { lookForMeans, type Means, skipped } from './means.ts';
import { MIRRORS, type Place } from './mirrors/list.ts';
import { WRITERS } from './schema.ts';
import type { Settings } from './settings.ts';
import { Tally } from './tally.ts';
import { Writer } from './writer.ts';

/** So long after the last fault a mirror may take to be true. */
const PEACE_MS = 30_000;

/** So much longer a run may take on a slow machine, until each fault has struck. */
const GRACE_SECONDS = 90;

interface TortureOptions extends Settings {
  /** A line on what happens. */
  readonly say: (line: string) => void;
}

export class Torture {
  readonly tally: Tally = new Tally();
  readonly history: History = new History();
  mirrors: readonly CheckedMirror[] = [];
  readonly #options: TortureOptions;
  readonly #chance: Chance;
  readonly #gate = new Gate();

  constructor(options: TortureOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
  }

  async run(): Promise<void> {
    const cluster = await Cluster.start();
    try {
      await this.#runOn(cluster);
    } finally {
      await cluster.stop();
    }
  }

  async #runOn(cluster: Cluster): Promise<void> {
    const { extent, say } = this.#options;
    const means = await lookForMeans(cluster);
    if (extent !== 'short') for (const line of skipped(means)) say(line);
    const faults = faultsFor(means, extent);
    const truth = new Pool({ connectionString: cluster.primaryUrl, max: 1 });
    truth.on('error', () => {});
    this.mirrors = this.#mirrors(cluster, truth, means);
    const writers = this.#writers(cluster);
    try {
      const running = Promise.all([...writers, ...this.mirrors].map((part) => part.run()));
      await this.#strike(cluster, faults);
      await this.#untilAllHaveFollowed();
      for (const part of [...writers, ...this.mirrors]) part.end();
      await running;
      await cluster.caughtUp();
      await Promise.all(this.mirrors.map((mirror) => this.#compare(mirror)));
    } finally {
      await Promise.allSettled(this.mirrors.map((mirror) => mirror.stop()));
      await truth.end();
    }
    this.#expect(expectedOf(faults, extent));
  }

  #mirrors(cluster: Cluster, truth: Pool, means: Means): CheckedMirror[] {
    const urls: Record<Place, string | undefined> = {
      primary: cluster.primaryUrl,
      pooler: means.pooler ? cluster.pooler?.url : undefined,
      standby: cluster.standbyUrl,
    };
    const { history, tally } = this;
    const parts = { beside: { truth, primaryUrl: cluster.primaryUrl }, chance: this.#chance, history, tally };
    return MIRRORS.flatMap((plan) => {
      const url = this.#options.extent !== 'short' || plan.inShort ? urls[plan.place] : undefined;
      return url === undefined ? [] : [new CheckedMirror({ plan, url, ...parts })];
    });
  }

  #writers(cluster: Cluster): Writer[] {
    const { history, tally } = this;
    const parts = { chance: this.#chance, deed: this.#chance.deck(DEEDS), history, gate: this.#gate, tally };
    return Array.from(
      { length: WRITERS },
      (_, index) => new Writer({ name: `w${index + 1}`, url: cluster.primaryUrl, ...parts }),
    );
  }

  async #strike(cluster: Cluster, faults: readonly Fault[]): Promise<void> {
    const { seconds, say } = this.#options;
    const { history, tally } = this;
    const world: World = { cluster, chance: this.#chance, gate: this.#gate, history, tally };
    const next = this.#chance.deck(faults);
    const begunAt = performance.now();
    const elapsed = (): number => (performance.now() - begunAt) / 1000;
    // Each fault once at least.
    const missing = new Set(faults);
    await sleep(300);
    while (elapsed() < seconds || (missing.size > 0 && elapsed() < seconds + GRACE_SECONDS)) {
      const [fault, since] = [next(), elapsed()];
      try {
        await fault.strike(world);
        tally.count(`faults: ${fault.name}`);
        missing.delete(fault);
        say(`${since.toFixed(1).padStart(6)} s: ${fault.name}, ${(elapsed() - since).toFixed(1)} s`);
      } catch (error) {
        // A lock that was not to be had, a server that was gone: it did not happen.
        say(`${since.toFixed(1).padStart(6)} s: ${fault.name} came to nothing: ${String(error)}`);
        tally.count(`faults that came to nothing: ${fault.name}`);
        await cluster.mend();
      }
      await sleep(this.#chance.whole(20, 250));
    }
  }

  /** On a busy machine a short run is over before a mirror whose server was promoted has found the new one. */
  async #untilAllHaveFollowed(): Promise<void> {
    const endsAt = performance.now() + GRACE_SECONDS * 1000;
    const isBehind = ({ generations }: CheckedMirror): boolean => generations < MIN_GENERATIONS;
    while (this.mirrors.some(isBehind) && performance.now() < endsAt) await sleep(50);
  }

  /** Two refreshes that were answered: the first may have been broken off by what happened before the peace. */
  async #compare(mirror: CheckedMirror): Promise<void> {
    const endsAt = performance.now() + PEACE_MS;
    for (let answered = 0; answered < 2; ) {
      if (await mirror.refresh()) answered += 1;
      else await sleep(50);
      if (performance.now() > endsAt) {
        this.tally.fault('a mirror was not refreshed after the faults', mirror.name);
        return;
      }
    }
    const differences = await mirror.differences();
    if (differences !== '') this.tally.fault('a mirror is not equal to the tables', `${mirror.name}: ${differences}`);
    else this.tally.count('mirrors that are equal to the tables');
  }

  #expect(expected: readonly string[]): void {
    for (const what of expected) {
      if (this.tally.of(what) === 0) this.tally.fault('something that was to happen never did', what);
    }
    for (const { name, generations } of this.mirrors) {
      if (generations < MIN_GENERATIONS) this.tally.fault('a mirror hardly ever changed', name);
    }
  }
}
