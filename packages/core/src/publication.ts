/** What a refresh hands to the store, ready to be shown. */

/** A whole set. */
export interface Publication<T> {
  /** Every row; becomes what readers see. */
  readonly entries: Map<string, T>;
  readonly confirmedAt: number;
  /** Rows that were refused, with what the schema said. */
  readonly quarantined: ReadonlyMap<string, string>;
  /** Keys about which something later is known than this answer can say. */
  readonly later: ReadonlySet<string>;
}

/** What differs from the set that is held. */
export interface Correction<T> {
  readonly upserts: ReadonlyMap<string, T>;
  readonly deletes: readonly string[];
  readonly confirmedAt: number;
  readonly quarantined: ReadonlyMap<string, string>;
  readonly later: ReadonlySet<string>;
}
