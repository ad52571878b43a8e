/** A mirror that is refreshed all the time, and each of whose generations is looked at as it is published. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RefreshReport } from 'evercache';
import type { Chance } from './chance.ts';
import { firstBehind, type History, type Mark, type Marks } from './history.ts';
import type { Beside, Held, Kept, Line } from './mirrors/kind.ts';
import type { MirrorPlan } from './mirrors/list.ts';
import type { Opened } from './paths.ts';
import type { Tally } from './tally.ts';

/** More keys than one statement of a delta brings. */
const LARGE = 2000;

interface MirrorParts {
  readonly plan: MirrorPlan;
  readonly url: string;
  readonly beside: Beside;
  readonly chance: Chance;
  readonly history: History;
  readonly tally: Tally;
}

export class CheckedMirror {
  readonly name: string;
  generations = 0;
  readonly #parts: MirrorParts;
  readonly #opened: Opened;
  readonly #kept: Kept;
  #marks: Marks = new Map();
  #resyncs = 0;
  #reconciled = 0;
  #wentBackIn = 0;
  #standbyWentBackIn = 0;
  #isOver = false;

  constructor(parts: MirrorParts) {
    const { plan, url, beside } = parts;
    this.#parts = parts;
    this.name = `${plan.kind.name}, ${plan.client}, ${plan.place}`;
    this.#opened = plan.open(url);
    this.#kept = plan.kind.keep(this.#opened.client, beside);
    this.#kept.cache.on('refresh', (report) => this.#note(report));
    this.#kept.cache.on('change', () => this.#look());
  }

  async run(): Promise<void> {
    const { plan, chance } = this.#parts;
    await this.#kept.cache.start();
    while (!this.#isOver) {
      await this.refresh();
      await sleep(chance.whole(...plan.pauseMs));
    }
  }

  end(): void {
    this.#isOver = true;
  }

  /** What was acknowledged before the question was sent is in the answer, unless that comes from a standby. */
  async refresh(): Promise<boolean> {
    const { plan, history, tally } = this.#parts;
    const { epoch, acknowledged } = history;
    const { outcome } = await this.#kept.cache.refresh();
    const confirmed = outcome === 'published' || outcome === 'unchanged';
    if (confirmed && plan.place !== 'standby' && history.epoch === epoch) {
      const behind = firstBehind(this.#marks, acknowledged);
      if (behind !== undefined) tally.fault('a refresh lacked what was committed before it', `${this.name}: ${behind}`);
    }
    return confirmed;
  }

  /** What differs from the tables; empty: nothing. */
  async differences(): Promise<string> {
    const truth = await this.#kept.truth();
    const counts = { stale: 0, missing: 0, ghost: 0 };
    const held = new Map(this.#kept.entries());
    for (const [key, value] of truth) {
      const own = held.get(key);
      if (own === undefined) counts.missing += 1;
      else if (JSON.stringify(own) !== JSON.stringify(value)) counts.stale += 1;
    }
    for (const key of held.keys()) if (!truth.has(key)) counts.ghost += 1;
    const { stale, missing, ghost } = counts;
    return stale + missing + ghost === 0 ? '' : `${stale} stale, ${missing} missing, ${ghost} ghost`;
  }

  async stop(): Promise<void> {
    await this.#kept.cache.stop();
    await this.#opened.close();
  }

  #note({ outcome, kind, reason, added, updated, removed }: RefreshReport): void {
    const { tally } = this.#parts;
    tally.count(`refreshes: ${outcome === 'failed' ? 'failed' : `${kind} ${outcome}`}`);
    if (reason === 'nudge' && outcome === 'published') tally.count('paths: told by a bell');
    this.#noteWays();
    if (outcome === 'published' && kind === 'delta' && added + updated + removed > LARGE)
      tally.count('paths: large delta');
  }

  #look(): void {
    this.generations += 1;
    this.#check(seenIn(this.#kept.entries()));
  }

  #noteWays(): void {
    const { tally } = this.#parts;
    const { reason, resyncs, reconciled = 0 } = (this.#kept.cache.status().source ?? {}) as Ways;
    if (reason?.startsWith('triggers of the change log')) tally.count('paths: read as a whole while triggers were off');
    if (reconciled > this.#reconciled) tally.count('paths: keys compared by a scan', reconciled - this.#reconciled);
    this.#reconciled = reconciled;
    if (resyncs === undefined || resyncs.count === this.#resyncs) return;
    this.#resyncs = resyncs.count;
    tally.count(`resyncs: ${resyncs.last}`);
  }

  #check({ amount, booked, marks, twoLabels }: Seen): void {
    const { tally, history, plan } = this.#parts;
    if (amount !== booked) {
      tally.fault(
        'a generation equals no snapshot',
        `${this.name}: the items sum up to ${amount}, booked are ${booked}`,
      );
    }
    if (twoLabels !== undefined) {
      tally.fault('a generation equals no snapshot', `${this.name}: owner ${twoLabels} has two labels`);
    }
    const lack = history.lackOf(marks);
    if (lack !== undefined)
      tally.fault('a generation lacks what was committed before a part of it', `${this.name}: ${lack}`);
    const behind = firstBehind(marks, this.#marks);
    this.#marks = marks;
    if (behind === undefined) return;
    if (this.#wentBackIn !== history.epoch) {
      this.#wentBackIn = history.epoch;
      tally.count('paths: went back with the history that was lost');
    } else if (plan.place === 'standby' && this.#standbyWentBackIn !== history.crashesOfStandby) {
      this.#standbyWentBackIn = history.crashesOfStandby;
      tally.count('paths: went back with a standby that crashed');
    } else {
      tally.fault('a generation went back', `${this.name}: ${behind}`);
    }
  }
}

/** What a source says about the ways it took. */
interface Ways {
  /** Why it does not follow. */
  readonly reason?: string;
  readonly resyncs?: { readonly count: number; readonly last?: string };
  readonly reconciled?: number;
}

interface Seen {
  readonly amount: number;
  readonly booked: number;
  readonly marks: ReadonlyMap<string, Mark>;
  /** An owner with more than one. */
  readonly twoLabels: string | undefined;
}

function seenIn(entries: Iterable<readonly [string, Held]>): Seen {
  let [amount, booked] = [0, 0];
  let twoLabels: string | undefined;
  const marks = new Map<string, Mark>();
  const labels = new Map<string, number>();
  const see = (line: Line): void => {
    if (line.epoch !== null && line.commits !== null) {
      booked += Number(line.amount);
      marks.set(line.id, { epoch: line.epoch, commits: line.commits });
      return;
    }
    amount += Number(line.amount);
    if (line.owner === undefined || line.owner === null || line.label === undefined || line.label === null) return;
    const known = labels.get(line.owner) ?? line.label;
    if (known !== line.label) twoLabels = line.owner;
    labels.set(line.owner, known);
  };
  for (const [, held] of entries) {
    if (Array.isArray(held)) for (const line of held as readonly Line[]) see(line);
    else see(held as Line);
  }
  return { amount, booked, marks, twoLabels };
}
