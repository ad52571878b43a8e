/**
 * What is held, and what of it readers may see. Knows ages; does not know where answers come from or whether they may
 * be stored (that is the fence's business).
 *
 * `live` IS what readers may see: freshness is decided when it changes (a publish, a timer, an outage), not when it is
 * read. Most keys share one age, that of the last snapshot (`base`); only keys that were fetched singly or quarantined
 * have an entry of their own.
 */

import { isDeepStrictEqual } from 'node:util';
import { Alarm } from './alarm.ts';
import type { Clock } from './clock.ts';
import { type Expiring, ExpiryQueue } from './expiry-queue.ts';
import { deepFreeze } from './freeze.ts';
import { Negatives } from './negatives.ts';
import type { Publication } from './publication.ts';

export interface StoreOptions {
  readonly clock: Clock;
  readonly ttl: number;
  readonly staleIfError: number;
  readonly negativeTtl: number;
  readonly maxEntries: number;
  readonly freeze: boolean;
  /** An entry had to go for room. */
  readonly onEvict: () => void;
  /** The shared age passed its ttl, or the end of its use. */
  readonly onBaseAged: () => void;
}

/** An entry with an age of its own. */
interface Own<T> extends Expiring {
  readonly key: string;
  value: T;
  confirmedAt: number;
  /** `fresh` and `stale` are in the live map; `reserve` waits for the source to fail. */
  phase: 'fresh' | 'stale' | 'reserve';
}

export class Store<T> {
  /** What readers may see. Replaced as a whole by a publish: do not keep a reference. */
  live: Map<string, T> = new Map();
  /** No stale value is visible: what is in `live` is fresh. */
  allFresh = true;
  generation = 0;

  readonly #options: StoreOptions;
  readonly #own = new Map<string, Own<T>>();
  readonly #queue = new ExpiryQueue<Own<T>>();
  readonly #negatives: Negatives;
  readonly #quarantine = new Map<string, string>();
  /** Keys that the last snapshot cannot speak for: invalidated since. */
  readonly #unknown = new Set<string>();
  #baseConfirmedAt: number | undefined;
  #basePhase: 'none' | 'fresh' | 'stale' | 'gone' = 'none';
  #staleOwn = 0;
  #servesStale = false;
  readonly #alarm: Alarm;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#negatives = new Negatives(options.negativeTtl);
    this.#alarm = new Alarm(options.clock, () => this.#age());
  }

  get negatives(): number {
    return this.#negatives.size;
  }

  get quarantine(): ReadonlyMap<string, string> {
    return this.#quarantine;
  }

  /** When the set as a whole was last confirmed; `undefined`: never. */
  get baseConfirmedAt(): number | undefined {
    return this.#baseConfirmedAt;
  }

  get basePhase(): 'none' | 'fresh' | 'stale' | 'gone' {
    return this.#basePhase;
  }

  /** The keys that are held, visible, in reserve or in quarantine. */
  heldKeys(): string[] {
    if (this.#baseConfirmedAt !== undefined) return [...this.live.keys()];
    return [...new Set([...this.#own.keys(), ...this.#quarantine.keys()])];
  }

  /** Is what readers see under this key older than its ttl? */
  isStale(key: string): boolean {
    const own = this.#own.get(key);
    return own === undefined ? this.#basePhase === 'stale' : own.phase === 'stale';
  }

  /** The value that may be served while no newer answer can be had, visible or in reserve. */
  staleValue(key: string): T | undefined {
    return this.#own.get(key)?.value ?? this.live.get(key);
  }

  /** Since the value under this key was confirmed; `undefined`: no value is held. */
  ageOf(key: string, now: number): number | undefined {
    const confirmedAt = this.#own.get(key)?.confirmedAt ?? (this.live.has(key) ? this.#baseConfirmedAt : undefined);
    return confirmedAt === undefined ? undefined : now - confirmedAt;
  }

  /** Since the source said that there is no such key; `undefined`: it did not, or too long ago. */
  absentFor(key: string, now: number): number | undefined {
    const confirmedAt = this.#negatives.confirmedAt(key, now);
    return confirmedAt === undefined ? undefined : now - confirmedAt;
  }

  /** Did the last snapshot leave this key out because the source has none? Its age, or `undefined`: it cannot say. */
  missingFromBaseFor(key: string, now: number): number | undefined {
    if (this.#baseConfirmedAt === undefined || this.#basePhase === 'gone') return undefined;
    if (this.live.has(key) || this.#own.has(key) || this.#unknown.has(key) || this.#quarantine.has(key))
      return undefined;
    return now - this.#baseConfirmedAt;
  }

  /** May values be served after their ttl? While a source fails, or while refreshes see to it that none gets there. */
  set servesStale(servesStale: boolean) {
    if (servesStale === this.#servesStale) return;
    this.#servesStale = servesStale;
    const now = this.#options.clock.now();
    for (const own of this.#own.values()) if (own.phase !== 'fresh') this.#settle(own, now);
    this.#noteFreshness();
  }

  /** Keeps what was held if it is equal: identity is version. Returns what is held now, frozen. */
  prepare(value: T, held: T | undefined): T {
    if (held !== undefined && isEqual(held, value)) return held;
    return this.#options.freeze ? deepFreeze(value) : value;
  }

  /** Stores one answer with an age of its own. Returns the value as held. */
  put(key: string, value: T, confirmedAt: number): T {
    const prepared = this.prepare(value, this.staleValue(key));
    this.#quarantine.delete(key);
    this.#putOwn(key, prepared, confirmedAt);
    this.#evict();
    this.#after();
    return prepared;
  }

  /** The source has no such key. */
  putAbsent(key: string, confirmedAt: number): void {
    this.#drop(key);
    this.#quarantine.delete(key);
    this.#negatives.add(key, confirmedAt);
    this.#after();
  }

  /** The newest row failed its schema: its last good value stays, with the age it has. */
  putQuarantined(key: string, message: string): void {
    this.#quarantine.set(key, message);
    if (this.#quarantine.size > this.#options.maxEntries) this.#quarantine.delete(first(this.#quarantine)!);
    this.#negatives.delete(key);
    const confirmedAt = this.#own.get(key)?.confirmedAt ?? this.#baseConfirmedAt;
    const value = this.staleValue(key);
    if (value !== undefined && confirmedAt !== undefined) this.#putOwn(key, value, confirmedAt);
    this.#after();
  }

  /** Shows a whole set, in one step. */
  publish({ entries, confirmedAt, quarantined, later }: Publication<T>): void {
    const now = this.#options.clock.now();
    const kept = new Map<string, Own<T>>();
    const refused = new Map(quarantined);
    const stillUnknown: string[] = [];
    for (const key of later) {
      const own = this.#own.get(key);
      const message = this.#quarantine.get(key);
      if (own !== undefined) kept.set(key, own);
      else if (this.#negatives.confirmedAt(key, now) === undefined) stillUnknown.push(key);
      refused.delete(key);
      if (message !== undefined) refused.set(key, message);
      entries.delete(key);
    }
    for (const key of refused.keys()) {
      if (kept.has(key)) continue;
      const value = this.staleValue(key);
      const since = this.#own.get(key)?.confirmedAt ?? this.#baseConfirmedAt;
      if (value !== undefined && since !== undefined) kept.set(key, this.#own.get(key) ?? newOwn(key, value, since));
    }
    for (const [key, own] of this.#own) {
      if (kept.get(key) === own) continue;
      own.removed = true;
      // Stored after its row was compared, perhaps: an equal value is still the same object.
      const value = entries.get(key);
      if (value !== undefined) entries.set(key, this.prepare(value, own.value));
    }

    this.live = entries;
    this.#own.clear();
    this.#staleOwn = 0;
    this.#baseConfirmedAt = confirmedAt;
    this.#basePhase = this.#phaseOfBase(now);
    this.#unknown.clear();
    for (const key of stillUnknown) this.#unknown.add(key);
    this.#quarantine.clear();
    for (const [key, message] of refused) this.#quarantine.set(key, message);
    for (const key of [...this.#negatives.keys()]) if (entries.has(key)) this.#negatives.delete(key);
    for (const [key, own] of kept) {
      own.phase = 'reserve';
      this.#own.set(key, own);
      this.#settle(own, now);
    }
    this.#after();
  }

  /** Forgets a key: it is unknown now, not absent. */
  forget(key: string): void {
    this.#drop(key);
    this.#negatives.delete(key);
    this.#quarantine.delete(key);
    if (this.#baseConfirmedAt !== undefined) this.#unknown.add(key);
    this.#after();
  }

  /** Forgets everything, the shared age too. */
  forgetAll(): void {
    for (const own of this.#own.values()) own.removed = true;
    this.live = new Map();
    this.#own.clear();
    this.#queue.clear();
    this.#negatives.clear();
    this.#quarantine.clear();
    this.#unknown.clear();
    this.#baseConfirmedAt = undefined;
    this.#basePhase = 'none';
    this.#staleOwn = 0;
    this.#after();
  }

  #putOwn(key: string, value: T, confirmedAt: number): void {
    const now = this.#options.clock.now();
    let own = this.#own.get(key);
    if (own === undefined) own = newOwn(key, value, confirmedAt);
    else if (own.phase === 'stale') this.#staleOwn -= 1;
    own.value = value;
    own.confirmedAt = confirmedAt;
    own.phase = 'reserve';
    // The oldest stands first: it goes first when room is needed.
    this.#own.delete(key);
    this.#own.set(key, own);
    this.#negatives.delete(key);
    this.#unknown.delete(key);
    this.#settle(own, now);
  }

  /** Puts an entry where its age says, and queues it for its next change. */
  #settle(own: Own<T>, now: number): void {
    const { ttl, staleIfError } = this.#options;
    const age = now - own.confirmedAt;
    if (own.phase === 'stale') this.#staleOwn -= 1;
    if (age > ttl + staleIfError) {
      own.phase = 'reserve';
      this.#drop(own.key);
      return;
    }
    if (age <= ttl) own.phase = 'fresh';
    else own.phase = this.#servesStale || this.#quarantine.has(own.key) ? 'stale' : 'reserve';
    if (own.phase === 'stale') this.#staleOwn += 1;
    if (own.phase === 'reserve') this.live.delete(own.key);
    else this.live.set(own.key, own.value);
    own.deadline = own.confirmedAt + (own.phase === 'fresh' ? ttl : ttl + staleIfError);
    this.#queue.add(own);
  }

  #drop(key: string): void {
    const own = this.#own.get(key);
    if (own !== undefined) {
      if (own.phase === 'stale') this.#staleOwn -= 1;
      own.removed = true;
      this.#own.delete(key);
    }
    this.live.delete(key);
  }

  #evict(): void {
    if (this.#own.size <= this.#options.maxEntries) return;
    this.#drop(first(this.#own)!);
    this.#options.onEvict();
  }

  #phaseOfBase(now: number): 'none' | 'fresh' | 'stale' | 'gone' {
    const { ttl, staleIfError } = this.#options;
    if (this.#baseConfirmedAt === undefined) return 'none';
    const age = now - this.#baseConfirmedAt;
    return age <= ttl ? 'fresh' : age <= ttl + staleIfError ? 'stale' : 'gone';
  }

  #nextBaseChange(): number {
    if (this.#baseConfirmedAt === undefined || this.#basePhase === 'gone') return Number.POSITIVE_INFINITY;
    const { ttl, staleIfError } = this.#options;
    return this.#baseConfirmedAt + (this.#basePhase === 'fresh' ? ttl : ttl + staleIfError);
  }

  /** What is due by time. */
  #age(): void {
    const now = this.#options.clock.now();
    for (let own = this.#queue.takeDue(now); own !== undefined; own = this.#queue.takeDue(now)) this.#settle(own, now);
    this.#negatives.sweep(now);
    const phase = this.#phaseOfBase(now);
    const changed = phase !== this.#basePhase;
    this.#basePhase = phase;
    if (changed && phase === 'gone') {
      this.live = new Map();
      for (const own of this.#own.values()) if (own.phase !== 'reserve') this.live.set(own.key, own.value);
    }
    this.#after();
    if (changed) this.#options.onBaseAged();
  }

  /** To be called at the end of every change: sees to what follows from it. */
  #after(): void {
    if (this.#queue.size > 2 * this.#own.size + 64) this.#queue.compact();
    this.#noteFreshness();
    this.#alarm.set(Math.min(this.#queue.nextAt, this.#negatives.nextAt, this.#nextBaseChange()));
  }

  #noteFreshness(): void {
    this.allFresh = this.#basePhase !== 'stale' && this.#staleOwn === 0;
  }
}

/** What is nested too deep to be compared counts as changed. */
function isEqual(a: unknown, b: unknown): boolean {
  try {
    return a === b || isDeepStrictEqual(a, b);
  } catch {
    return false;
  }
}

function first(keyed: ReadonlyMap<string, unknown>): string | undefined {
  return keyed.keys().next().value;
}

function newOwn<T>(key: string, value: T, confirmedAt: number): Own<T> {
  return { key, value, confirmedAt, phase: 'reserve', deadline: 0, queuedFor: undefined, removed: false };
}
