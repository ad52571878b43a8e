/**
 * What is held, and what of it readers may see. Knows ages; does not know where answers come from or whether they may
 * be stored (that is the fence's business).
 *
 * `live` IS what readers may see: freshness is decided when it changes (a publish, a timer, an outage), not when it is
 * read. Most keys share one age, that of the last refresh (`base`); only keys that were fetched singly, quarantined or
 * held have an entry of their own.
 */
import { Alarm } from './alarm.ts';
import { BaseAge } from './base-age.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import { deepFreeze } from './freeze.ts';
import type { Held } from './held.ts';
import { HitPath, type Reads } from './hit-path.ts';
import { Negatives } from './negatives.ts';
import { type Known, OwnEntries } from './own-entries.ts';
import type { Correction, Publication } from './publication.ts';
import { Quarantine } from './quarantine.ts';
import { sameOf } from './same.ts';
import { Views } from './views.ts';

export interface StoreOptions {
  readonly clock: Clock;
  readonly ttl: number;
  readonly staleIfError: number;
  readonly negativeTtl: number;
  readonly maxEntries: number;
  readonly freeze: boolean;
  /** Removals that wait: their rows stay, with the age they have. */
  readonly held: Held;
  readonly counters: Counters;
  /** The shared age passed its ttl, or the end of its use. */
  readonly onBaseAged: () => void;
  /** Nothing is held any more, because of a single key. */
  readonly onReleased: () => void;
}

export class Store<T> {
  /** What readers may see. Replaced as a whole by a publish: do not keep a reference. */
  live: Map<string, T> = new Map();
  /** No stale value is visible: what is in `live` is fresh. */
  allFresh = true;
  /** How a key is read just now. */
  reads: Reads<T>;
  generation = 0;
  /** Looks at `live` that stay as they are. */
  readonly views: Views<T> = new Views();
  /** The age of the set as a whole. */
  readonly base: BaseAge;
  readonly quarantine: Quarantine;
  readonly negatives: Negatives;
  readonly #options: StoreOptions;
  readonly #own: OwnEntries<T>;
  /** Keys that the base cannot speak for: invalidated, or read while it was. */
  readonly #unsure = new Set<string>();
  readonly #hitPath: HitPath<T>;
  #servesStale = false;
  #released = false;
  readonly #alarm: Alarm;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.base = new BaseAge(options);
    // Its last good value goes as well: nobody would know any more that there is a newer row.
    this.quarantine = new Quarantine(options.maxEntries, (key) => this.#evictOne(key));
    this.negatives = new Negatives(options.negativeTtl);
    this.#alarm = new Alarm(options.clock, () => this.#age());
    this.#own = new OwnEntries<T>({
      ...options,
      showsStale: (key) => this.#servesStale || this.quarantine.has(key) || options.held.has(key),
      shown: (key) => this.live.get(key),
      show: (key, value) => this.#show(key, value),
      hide: (key) => this.#hide(key),
      onGone: (key) => {
        const baseSpeaks = options.held.has(key) || this.quarantine.has(key);
        this.#release(key);
        // The base, which it stood before, cannot speak for it: it has to be read again.
        if (this.base.confirmedAt !== undefined && !baseSpeaks) this.#unsure.add(key);
      },
    });
    this.#hitPath = new HitPath(this, options.counters, this.#own);
    this.reads = this.#hitPath.by('none', true);
  }

  /** Keys that have to be read again, because no refresh by changes would bring them back. */
  get unsure(): ReadonlySet<string> {
    return this.#unsure;
  }

  /** All that is known where nothing is loaded whole: keys that are visible, in reserve or in quarantine. */
  knownKeys(): string[] {
    const known = [...this.#own.keys()];
    for (const key of this.quarantine.keys()) if (!this.#own.has(key)) known.push(key);
    return known;
  }

  /** Is what readers see under this key older than its ttl? */
  isStale(key: string): boolean {
    // One look-up: entries of their own are either fresh or late, and for all others the base speaks.
    return this.base.phase === 'stale' ? !this.#own.isFresh(key) : this.#own.isLate(key);
  }

  /** The value that may be served while no newer answer can be had, visible or in reserve. */
  staleValue(key: string): T | undefined {
    const shown = this.live.get(key);
    return shown === undefined ? this.#own.hidden(key) : shown;
  }

  /** Since the value under this key was confirmed; `undefined`: no value is known. */
  ageOf(key: string, now: number): number | undefined {
    const confirmedAt = this.#confirmedAt(key);
    return confirmedAt === undefined ? undefined : now - confirmedAt;
  }

  /** Since the source said that there is no such key; `undefined`: it did not, or too long ago. */
  absentFor(key: string, now: number): number | undefined {
    const confirmedAt = this.negatives.confirmedAt(key, now);
    return confirmedAt === undefined ? undefined : now - confirmedAt;
  }

  /** Did the last refresh leave this key out because the source has none? Its age, or `undefined`: it cannot say. */
  missingFromBaseFor(key: string, now: number): number | undefined {
    const { confirmedAt, phase } = this.base;
    if (confirmedAt === undefined || phase === 'gone' || this.live.has(key)) return undefined;
    if (this.#own.has(key) || this.#unsure.has(key) || this.quarantine.has(key)) return undefined;
    return now - confirmedAt;
  }

  /** May values be served after their ttl? While a source fails, or while refreshes see to it that none gets there. */
  set servesStale(servesStale: boolean) {
    if (servesStale === this.#servesStale) return;
    this.#servesStale = servesStale;
    this.#own.settleAll(this.#options.clock.now());
    this.settle();
  }

  /** What was held if it is equal (identity is version), else the new value, frozen. Takes as long as they are big. */
  prepare(value: T, held: T | undefined): T {
    const same = sameOf(value, held);
    return same === held || !this.#options.freeze ? same : deepFreeze(same);
  }

  /** Stores one answer with an age of its own. Returns the value as held. After the last answer, `settle`. */
  put(key: string, prepared: T, confirmedAt: number, now: number): T {
    const value = sameOf(prepared, this.staleValue(key));
    this.quarantine.delete(key);
    this.#putOwn(key, { value, since: confirmedAt }, now);
    this.#evict();
    return value;
  }

  /** The source has no such key. */
  putAbsent(key: string, confirmedAt: number): void {
    this.#forget(key);
    this.negatives.add(key, confirmedAt);
  }

  /** The newest row failed its schema: its last good value stays, with the age it has. */
  putQuarantined(key: string, message: string, now: number): void {
    this.quarantine.set(key, message);
    this.negatives.delete(key);
    this.#unsure.delete(key);
    const known = this.#known(key);
    if (known !== undefined) this.#putOwn(key, known, now);
  }

  /** What was stored last was read while the base was, so nobody knows which is newer. */
  doubt(key: string): void {
    this.#unsure.add(key);
  }

  /** Shows a whole set, in one step. */
  publish({ entries, confirmedAt, quarantined, later }: Publication<T>): void {
    const now = this.#options.clock.now();
    const refused = new Map(quarantined);
    for (const key of later) {
      entries.delete(key);
      refused.delete(key);
      const message = this.quarantine.get(key);
      if (message !== undefined) refused.set(key, message);
    }
    // The entries of all others are part of the set now.
    const fetchedLater = [...later].filter((key) => this.#own.has(key));
    const kept = this.#knownOf([...fetchedLater, ...refused.keys(), ...this.#options.held.keys()]);
    for (const key of this.#own.keys()) {
      // Stored after its row was compared, perhaps: an equal value is still the same object.
      const value = kept.has(key) ? undefined : entries.get(key);
      if (value !== undefined) entries.set(key, sameOf(value, this.staleValue(key)));
    }

    this.views.detach();
    this.live = entries;
    this.#own.clear();
    this.base.confirm(confirmedAt, now);
    this.#unsure.clear();
    for (const key of later) this.#unsure.add(key);
    this.quarantine.clear();
    for (const [key, message] of refused) this.quarantine.set(key, message);
    // A row that was refused is one, too: its key is not absent.
    for (const key of [...this.negatives.keys()]) if (entries.has(key) || refused.has(key)) this.negatives.delete(key);
    this.#own.putAll(kept, now);
    this.settle();
  }

  /** Shows what differs, in one step; everything else that the base speaks for is confirmed. */
  correct({ upserts, deletes, confirmedAt, quarantined, later }: Correction<T>): void {
    const now = this.#options.clock.now();
    for (const key of later) if (upserts.has(key) || quarantined.has(key)) this.#unsure.add(key);
    for (const key of deletes) {
      if (later.has(key)) this.#unsure.add(key);
      else this.#forget(key);
    }
    for (const [key, value] of upserts) {
      if (later.has(key)) continue;
      this.#forget(key, sameOf(value, this.staleValue(key)));
    }
    for (const [key, message] of quarantined) if (!later.has(key)) this.putQuarantined(key, message, now);
    // The entries of all others are part of the set now, those too that were too old to be seen.
    const unspoken = [...later, ...this.#unsure, ...this.quarantine.keys()];
    const kept = this.#knownOf(unspoken.filter((key) => this.#own.has(key)));
    for (const [key, value] of this.#own.hiddenEntries()) if (!kept.has(key)) this.#show(key, value);
    this.#own.clear();
    this.#own.putAll(kept, now);
    this.base.confirm(confirmedAt, now);
    this.settle();
  }

  /** Forgets keys: they are unknown now, not absent. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#forget(key);
      if (this.base.confirmedAt !== undefined) this.#unsure.add(key);
    }
    this.settle();
  }

  /** These keys are gone at the source: the base says so. */
  remove(keys: Iterable<string>): void {
    for (const key of keys) this.#forget(key);
    this.settle();
  }

  /** Forgets everything, the shared age too. */
  forgetAll(): void {
    this.views.detach();
    this.live = new Map();
    this.#own.clear();
    this.negatives.clear();
    this.quarantine.clear();
    this.#unsure.clear();
    this.#options.held.clear();
    this.base.clear();
    this.settle();
  }

  #confirmedAt(key: string): number | undefined {
    return this.#own.confirmedAt(key) ?? (this.live.has(key) ? this.base.confirmedAt : undefined);
  }

  /** The value under this key, with the age it has. */
  #known(key: string): Known<T> | undefined {
    const value = this.staleValue(key);
    const since = this.#confirmedAt(key);
    return value === undefined || since === undefined ? undefined : { value, since };
  }

  /** What of these is known: it keeps the age it has, whatever becomes of the set. */
  #knownOf(keys: readonly string[]): Map<string, Known<T>> {
    const found = new Map<string, Known<T>>();
    for (const key of keys) {
      const known = this.#known(key);
      if (known !== undefined) found.set(key, known);
    }
    return found;
  }

  #putOwn(key: string, { value, since }: Known<T>, now: number): void {
    this.negatives.delete(key);
    this.#unsure.delete(key);
    this.#release(key);
    this.#own.put(key, value, since, now);
  }

  /** Nothing that was known of this key counts any more; `value`: the base has this now. */
  #forget(key: string, value?: T): void {
    this.#own.release(key);
    this.negatives.delete(key);
    this.quarantine.delete(key);
    this.#unsure.delete(key);
    this.#release(key);
    if (value === undefined) this.#hide(key);
    else this.#show(key, value);
  }

  #release(key: string): void {
    if (this.#options.held.release(key)) this.#released = true;
  }

  #show(key: string, value: T): void {
    this.views.keep(key, this.live.get(key));
    this.live.set(key, value);
  }

  #hide(key: string): void {
    this.views.keep(key, this.live.get(key));
    this.live.delete(key);
  }

  #evict(): void {
    if (this.#own.size <= this.#options.maxEntries) return;
    this.#evictOne(this.#own.keys().next().value!);
  }

  #evictOne(key: string): void {
    if (!this.#own.has(key)) return;
    this.#own.release(key);
    this.#hide(key);
    this.#options.counters.evictions += 1;
  }

  /** What is due by time. */
  #age(): void {
    const now = this.#options.clock.now();
    this.#own.age(now);
    this.negatives.sweep(now);
    const changed = this.base.look(now);
    if (changed && this.base.phase === 'gone') {
      this.views.detach();
      this.live = new Map(this.#own.visible());
    }
    this.settle();
    if (changed) this.#options.onBaseAged();
  }

  /** To be called at the end of every change, when all of it can be seen: sees to what follows from it. */
  settle(): void {
    this.#noteFreshness();
    this.#alarm.set(Math.min(this.#own.nextAt, this.negatives.nextAt, this.base.nextAt));
    if (this.#released) this.#options.onReleased();
    this.#released = false;
  }

  #noteFreshness(): void {
    this.allFresh = this.base.phase !== 'stale' && !this.#own.showStale;
    this.reads = this.#hitPath.by(this.base.phase, this.allFresh);
  }
}
