/** What was asked for comes soon: a round after a nudge, after an outage, and when the interval is over. */
import type { RefreshReport } from '../src/index.ts';
import { isForRead, isUnderWay } from './calls.ts';
import { REFRESH_INTERVAL } from './settings.ts';
import type { World } from './world.ts';

/** The longest wait after a round that has failed. */
const LONGEST_BACKOFF_MS = 30_000;

export const AFTER_NUDGE = 'after a nudge';
export const AFTER_WATCH = 'after a watch stood';
const RINGS: readonly string[] = [AFTER_NUDGE, AFTER_WATCH];

/** A round has to start after this. */
interface Owed {
  readonly why: string;
  readonly tickets: number;
  /** That many rounds have ended by then. */
  readonly ended: number;
}

export class Soon {
  #owed: Owed | undefined;
  /** When the next round has to start by itself; `undefined`: nobody can say. */
  #dueBy: number | undefined;
  #wasBroken = false;
  /** Rounds in a row that the source could not tell what has changed. */
  #resyncs = 0;
  #before: Owed = { why: 'after the breaker has closed', tickets: 0, ended: 0 };

  /** Something happens that has to start a round. */
  ask(world: World, why: string): void {
    if (world.life !== 'started') return;
    // The one that is under way was not asked for by this.
    const isRunning = world.wild.calls.some((call) => isUnderWay(call) && !isForRead(call));
    this.#owed = { why, tickets: world.tickets, ended: world.ended + (isRunning ? 2 : 1) };
  }

  /** The source rings. */
  ring(world: World, why: string): void {
    if (!this.#mayRingsWait) this.ask(world, why);
  }

  /** No longer than the interval, which starts a round in any case. */
  get #mayRingsWait(): boolean {
    return this.#resyncs >= 2;
  }

  /** The watch has died, perhaps before core has heard that it stands. */
  lost(): void {
    if (this.#owed?.why === AFTER_WATCH) this.#owed = undefined;
  }

  stopped(): void {
    this.#owed = undefined;
    this.#dueBy = undefined;
    this.#wasBroken = false;
    this.#resyncs = 0;
  }

  /** `goesOn`: by what has changed. */
  roundEnded(world: World, { outcome, reason }: RefreshReport, goesOn: boolean): void {
    if (outcome === 'stopped' || world.life !== 'started') return;
    if (reason === 'resync') this.#resyncs += 1;
    else if (goesOn && outcome !== 'failed') this.#resyncs = 0;
    if (this.#mayRingsWait && RINGS.includes(this.#owed?.why ?? '')) this.#owed = undefined;
    if (outcome === 'failed') {
      this.#dueBy = world.now + LONGEST_BACKOFF_MS;
    } else if (reason === 'interval' || reason === 'resync') {
      world.exercised(17);
      this.#dueBy = world.now + REFRESH_INTERVAL;
    } else if (this.#dueBy !== undefined) {
      // Where it has read only some keys, the next one comes when it was due.
      this.#dueBy = Math.max(this.#dueBy, world.now + REFRESH_INTERVAL);
    }
  }

  /** Nothing moves any more. */
  look(world: World): void {
    const isBroken = world.cache.status().breaker !== 'closed';
    if (this.#wasBroken && !isBroken && this.#owed === undefined) this.#owed = this.#before;
    this.#wasBroken = isBroken && world.life === 'started';
    this.#before = { ...this.#before, tickets: world.tickets, ended: world.ended + 1 };
    if (world.life !== 'started') return;
    const { calls } = world.wild;
    if (calls.some((call) => isUnderWay(call) && !isForRead(call))) {
      if (this.#owed?.why === this.#before.why) this.#owed = undefined;
      return;
    }
    this.#isPaid(world);
    if (!world.hasAll || this.#dueBy === undefined || world.isAsleep) return;
    const late = world.now - this.#dueBy;
    world.expect(17, late <= 0, () => `no round has started, ${late} ms after it was due`);
  }

  #isPaid(world: World): void {
    const owed = this.#owed;
    if (owed === undefined) return;
    this.#owed = undefined;
    world.exercised(17);
    const isSent = world.wild.calls.slice(owed.tickets).some((call) => !isForRead(call));
    world.expect(17, isSent || world.ended >= owed.ended, () => `no round has started ${owed.why}`);
  }
}
