/**
 * Removals that look like a catastrophe: they wait here until enough answers in a row agree, or somebody says so.
 * Decides; what readers see meanwhile is the store's business.
 */
import type { Guard } from './options.ts';
import type { HeldStatus } from './status.ts';

const SAMPLE_KEYS = 10;

/** Keys that are judged together: see `partsOf`. */
export interface Part {
  readonly name: string;
  /** Visible, and to be removed. */
  readonly missing: readonly string[];
  /** Of so many that are visible. */
  readonly size: number;
  /** No row would be left. */
  readonly emptied: boolean;
}

/** What is to become of the keys that a snapshot lacks. */
export interface Verdict {
  readonly removed: readonly string[];
  /** How many answers in a row have lacked each key that stays. */
  readonly held: Map<string, number>;
  /** Of how many rows of each part these were judged to be too many. */
  readonly of: ReadonlyMap<string, number>;
}

type PartVerdict = Omit<Verdict, 'of'> & { readonly of: number };

export class Held {
  readonly #guard: Guard;
  #answers: Map<string, number> = new Map();
  /** The most of them; `undefined`: has to be found. */
  #mostAnswers: number | undefined;
  #of: ReadonlyMap<string, number> = new Map();
  #rejected = false;
  #since = 0;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  get size(): number {
    return this.#answers.size;
  }

  has(key: string): boolean {
    return this.#answers.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#answers.keys();
  }

  /** Would it be one, to remove `count` of `size` rows? `emptied`: no row would be left. */
  isCatastrophe(count: number, size: number, emptied: boolean): boolean {
    const { maxRemovedShare, minRows } = this.#guard;
    return count > 0 && (emptied || (size >= minRows && count > maxRemovedShare * size));
  }

  /** Judges the keys that are visible and that a snapshot lacks, each part for itself. */
  judge(parts: readonly Part[]): Verdict {
    const verdicts = parts.map((part) => ({ name: part.name, ...this.#judge(part) }));
    const of = new Map(verdicts.map(({ name, of }) => [name, of]));
    const [first, ...others] = verdicts;
    if (first === undefined || others.length === 0) return { removed: [], held: new Map(), ...first, of };
    return {
      removed: verdicts.flatMap(({ removed }) => removed),
      held: new Map(verdicts.flatMap(({ held }) => [...held])),
      of,
    };
  }

  /**
   * Two answers agree on what both of them lack: half the
   * rows missing today and the other half tomorrow is a source that cannot be trusted, not a confirmation.
   */
  #judge({ name, missing, size, emptied }: Part): PartVerdict {
    // Rows that came after the first answer make it no smaller a catastrophe, and a set that it emptied no fuller.
    const of = this.size === 0 ? size : Math.min(size, this.#of.get(name) ?? size);
    const noneLeft = emptied || missing.filter((key) => this.has(key)).length === of;
    const isBad = (count: number): boolean =>
      this.isCatastrophe(count, of, noneLeft) || this.isCatastrophe(count, size, emptied);
    const held = new Map(missing.map((key) => [key, (this.#answers.get(key) ?? 0) + 1]));
    if (!isBad(missing.length)) {
      // What was rejected stays, however few of it are still missing.
      const removed = missing.filter((key) => !this.#rejected || !this.has(key));
      for (const key of removed) held.delete(key);
      return { removed, held, of };
    }
    const agreed = this.#rejected ? [] : missing.filter((key) => held.get(key)! >= this.#guard.acceptAfter);
    if (!isBad(agreed.length)) return { removed: [], held, of };
    for (const key of agreed) held.delete(key);
    // What only this answer lacks is judged against what is left.
    const left = size - agreed.length;
    if (this.isCatastrophe(held.size, left, emptied)) return { removed: agreed, held, of: left };
    return { removed: missing, held: new Map(), of: left };
  }

  /** Makes a verdict the state of things: it is not to be used any more. */
  hold({ held, of }: Verdict, now: number): void {
    if (this.#answers.size === 0) this.#since = now;
    this.#answers = held;
    this.#mostAnswers = undefined;
    this.#of = of;
    if (held.size === 0) this.#rejected = false;
  }

  /** Something newer is known of this key, or its row is gone by age. Was it the last one? */
  release(key: string): boolean {
    if (!this.#answers.delete(key)) return false;
    this.#mostAnswers = undefined;
    if (this.#answers.size > 0) return false;
    this.#rejected = false;
    return true;
  }

  /** However often the source repeats it: not by itself. */
  reject(): boolean {
    if (this.#answers.size > 0) this.#rejected = true;
    return this.#rejected;
  }

  clear(): void {
    this.#answers.clear();
    this.#rejected = false;
  }

  /** `undefined`: nothing is held. */
  status(now: number): HeldStatus | undefined {
    if (this.#answers.size === 0) return undefined;
    const sampleKeys: string[] = [];
    for (const key of this.#answers.keys()) {
      if (sampleKeys.length === SAMPLE_KEYS) break;
      sampleKeys.push(key);
    }
    return {
      keys: this.#answers.size,
      sampleKeys,
      answers: this.#findMostAnswers(),
      needed: this.#guard.acceptAfter,
      rejected: this.#rejected,
      sinceMs: now - this.#since,
    };
  }

  /** Kept, since a status may be asked for often. */
  #findMostAnswers(): number {
    if (this.#mostAnswers !== undefined) return this.#mostAnswers;
    let most = 0;
    for (const count of this.#answers.values()) most = Math.max(most, count);
    this.#mostAnswers = most;
    return most;
  }
}
