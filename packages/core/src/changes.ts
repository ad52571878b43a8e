/** What a round changes, or would change. */
import type { CacheError } from './errors.ts';

export interface Changes {
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
  /** Removals that wait for confirmation. */
  readonly held: number;
  readonly unchanged: number;
  readonly quarantined: number;
  /** Some keys could not be read. */
  readonly error?: CacheError | undefined;
}

export const NO_CHANGES: Changes = { added: [], updated: [], removed: [], held: 0, unchanged: 0, quarantined: 0 };

export function isChange({ added, updated, removed }: Changes): boolean {
  return added.length + updated.length + removed.length > 0;
}

/** Two steps of one round. */
export function both(first: Changes, second: Changes): Changes {
  return {
    added: [...first.added, ...second.added],
    updated: [...first.updated, ...second.updated],
    removed: [...first.removed, ...second.removed],
    held: first.held + second.held,
    unchanged: first.unchanged + second.unchanged,
    quarantined: first.quarantined + second.quarantined,
    error: first.error ?? second.error,
  };
}
