/** Typed events. A listener that throws, or rejects, harms nobody else: it is a process warning. */
import { callOf, unknownName } from './checks.ts';
import { describe } from './describe.ts';
import type { CacheError } from './errors.ts';
import { said } from './said.ts';
import type { CacheState, RefreshReport } from './status.ts';

export interface CacheEvents {
  /** A refresh ended, whatever its outcome. */
  readonly refresh: RefreshReport;
  /** A refresh changed what readers see. The keys are not copied: do not keep the arrays. They are frozen, as events are. */
  readonly change: CacheChange;
  /** A call to the source failed. */
  readonly error: CacheError;
  /** A snapshot lacked so much that its removals wait for confirmation; the rows stay. */
  readonly held: HeldRemovals;
  /** A row failed its schema; its last good value, if any, stays. */
  readonly quarantine: { readonly key: string; readonly message: string };
  /** `status().state` changed. */
  readonly state: { readonly from: CacheState; readonly to: CacheState };
}

export interface HeldRemovals {
  /** Rows that the snapshot lacked, of so many that were visible. */
  readonly removed: number;
  readonly of: number;
  /** Answers in a row that lacked them, and how many of these are needed. */
  readonly answers: number;
  readonly needed: number;
  readonly sampleKeys: readonly string[];
}

export interface CacheChange {
  readonly generation: number;
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
}

export type CacheEventName = keyof CacheEvents;
const NAMES: readonly CacheEventName[] = ['refresh', 'change', 'error', 'held', 'quarantine', 'state'];

export type CacheListener<Name extends CacheEventName> = (event: CacheEvents[Name]) => void;

/** The listeners of one cache; also for what stands in the place of one. */
export class Events {
  /** Each subscription by itself, though the same function may listen twice. */
  readonly #listeners = new Map<CacheEventName, Set<{ readonly listener: (event: never) => void }>>();
  readonly #cache: string;

  constructor(cache: string) {
    this.#cache = cache;
  }

  /** @throws TypeError where there is no such event, or the listener is no function. */
  on<Name extends CacheEventName>(name: Name, listener: CacheListener<Name>): () => void {
    const where = callOf(this.#cache, 'on');
    if (!NAMES.includes(name)) throw unknownName(`${where}: unknown event`, name, NAMES);
    if (typeof listener !== 'function') {
      throw new TypeError(`${where}: expected the listener of "${name}" to be a function, got ${describe(listener)}`);
    }
    const listeners = this.#listeners.get(name) ?? new Set();
    const subscription = { listener };
    this.#listeners.set(name, listeners.add(subscription));
    return () => listeners.delete(subscription);
  }

  emit<Name extends CacheEventName>(name: Name, event: CacheEvents[Name]): void {
    const warn = (error: unknown): void => {
      process.emitWarning(
        `cache "${this.#cache}": a listener of "${name}" threw: ${said(error)}`,
        'CacheListenerWarning',
      );
    };
    const subscriptions = [...(this.#listeners.get(name) ?? [])];
    if (subscriptions.length > 0) freezeEvent(event);
    for (const { listener } of subscriptions) {
      try {
        const returned: unknown = (listener as CacheListener<Name>)(event);
        // An async listener: nobody else would catch what it throws, and the process would end.
        if (returned instanceof Promise) returned.catch(warn);
      } catch (error) {
        warn(error);
      }
    }
  }
}

/** All listeners share it, and the cache has not done with it yet. Errors stay as they are: their makers may add to them. */
function freezeEvent(event: object): void {
  if (event instanceof Error) return;
  for (const field of Object.values(event)) if (Array.isArray(field)) Object.freeze(field);
  Object.freeze(event);
}
