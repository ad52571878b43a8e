/** A whole set, ready to be shown: what a refresh hands to the store. */
export interface Publication<T> {
  readonly entries: Map<string, T>;
  readonly confirmedAt: number;
  /** Rows that were refused, with what the schema said. */
  readonly quarantined: ReadonlyMap<string, string>;
  /** Keys about which something later is known than this set can say. */
  readonly later: Iterable<string>;
}
