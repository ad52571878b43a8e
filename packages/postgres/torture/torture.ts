/** A run: servers, writers and mirrors, faults all the time, then peace, and the comparison. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { Chance } from './chance.ts';
import { CheckedMirror } from './checked-mirror.ts';
import { Cluster } from './cluster.ts';
import { DEEDS } from './deeds.ts';
import type { World } from './faults/fault.ts';
import { FAULTS } from './faults/list.ts';
import { Gate } from './gate.ts';
import { History } from './history.ts';
import { MIRRORS } from './mirrors/list.ts';
import { WRITERS } from './schema.ts';
import { Tally } from './tally.ts';
import { Writer } from './writer.ts';

/** So long after the last fault a mirror may take to be true. */
const PEACE_MS = 30_000;

export class Torture {
  readonly tally: Tally = new Tally();
  readonly history: History = new History();
  mirrors: readonly CheckedMirror[] = [];
  readonly #chance: Chance;
  readonly #gate = new Gate();

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  async run(seconds: number): Promise<void> {
    const cluster = await Cluster.start();
    const truth = new Pool({ connectionString: cluster.primaryUrl, max: 1 });
    const writers = this.#writers(cluster);
    try {
      this.mirrors = MIRRORS.map(
        (plan) =>
          new CheckedMirror({
            plan,
            url: plan.place === 'standby' ? cluster.standbyUrl : cluster.primaryUrl,
            truth,
            chance: this.#chance,
            history: this.history,
            tally: this.tally,
          }),
      );
      const writing = Promise.all(writers.map((writer) => writer.run()));
      const following = Promise.all(this.mirrors.map((mirror) => mirror.run()));
      await this.#strike(cluster, performance.now() + seconds * 1000);
      for (const part of [...writers, ...this.mirrors]) part.end();
      await Promise.all([writing, following]);
      await cluster.caughtUp();
      await Promise.all(this.mirrors.map((mirror) => this.#compare(mirror)));
    } finally {
      await Promise.allSettled(this.mirrors.map((mirror) => mirror.stop()));
      await truth.end();
      await cluster.stop();
    }
  }

  #writers(cluster: Cluster): Writer[] {
    const deed = this.#chance.deck(DEEDS);
    return Array.from(
      { length: WRITERS },
      (_, index) =>
        new Writer({
          name: `w${index + 1}`,
          url: cluster.primaryUrl,
          chance: this.#chance,
          deed,
          history: this.history,
          gate: this.#gate,
          tally: this.tally,
        }),
    );
  }

  async #strike(cluster: Cluster, endsAt: number): Promise<void> {
    const world: World = {
      cluster,
      chance: this.#chance,
      gate: this.#gate,
      history: this.history,
      tally: this.tally,
    };
    const next = this.#chance.deck(FAULTS);
    await sleep(500);
    while (performance.now() < endsAt) {
      const fault = next();
      try {
        await fault.strike(world);
        this.tally.count(`faults: ${fault.name}`);
      } catch (error) {
        // A lock that was not to be had, a session that a freeze had ended: it did not happen.
        this.tally.count(
          `faults that failed: ${fault.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      await sleep(this.#chance.whole(20, 250));
    }
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
  }
}
