/** Marks that no request needs any more, for each that ends: more would keep the thread for long. */
const DROPPED_AT_A_TIME = 1_000;

/**
 * Which answer may still be stored. Every request to the source takes a ticket before it is sent; every write and
 * every invalidation leaves a mark. One rule keeps lost invalidations and time travel out, on every path:
 *
 *     an answer is stored only if its ticket is later than the mark of its key
 *
 *     fetch a  ──ticket 1──▶ source …………………… old value   1 < 2: goes to its caller, is not stored
 *     invalidate a     mark(a) = 2
 *     fetch a  ─────────ticket 3──▶ source ─▶ new value    3 > 2: stored, mark(a) = 3
 *
 * A mark is needed only while a request with an earlier ticket is under way, so what is kept is bounded by the writes
 * during the longest request.
 */
export class Fence {
  #last = 0;
  /** Tickets of requests under way; a Set keeps them in ascending order. */
  readonly #open = new Set<number>();
  readonly #marks = new Map<string, number>();
  #markOfAll = 0;
  /** The last answer for all keys: its ticket, and when it was stored. */
  #bulk = { ticket: 0, storedAt: 0 };

  /** The ticket of a request that is about to be sent. Close it when its answer has been dealt with. */
  open(): number {
    const ticket = this.moment();
    this.#open.add(ticket);
    return ticket;
  }

  /** A moment between two requests: what is asked of it is asked of a request sent now. */
  moment(): number {
    this.#last += 1;
    return this.#last;
  }

  close(ticket: number): void {
    this.#open.delete(ticket);
    const [oldest] = this.#open;
    if (oldest === undefined) {
      // Where there are many: one by one they would take many milliseconds.
      this.#marks.clear();
      return;
    }
    let left = DROPPED_AT_A_TIME;
    for (const [key, mark] of this.#marks) {
      // Marks are roughly in order; one that is not yet due keeps those behind it a little longer.
      if (mark > oldest || left === 0) break;
      this.#marks.delete(key);
      left -= 1;
    }
  }

  /** May an answer to the request with this ticket be stored under this key? */
  admits(key: string, ticket: number): boolean {
    return ticket > this.#markOfAll && ticket > (this.#marks.get(key) ?? 0);
  }

  /** Has everything been invalidated, or replaced by a later answer, since the request with this ticket was sent? */
  isOvertaken(ticket: number): boolean {
    return ticket < this.#markOfAll;
  }

  /** An answer to the request with this ticket was stored under this key. */
  stored(key: string, ticket: number): void {
    this.#mark(key, ticket);
  }

  /** An answer to the request with this ticket was stored for all keys. */
  storedAll(ticket: number): void {
    this.#markOfAll = Math.max(this.#markOfAll, ticket);
    this.#bulk = { ticket, storedAt: this.moment() };
  }

  /**
   * Did a request with this ticket overlap with the last answer for all keys? Then nobody knows which of the two was
   * read first, and where refreshes follow changes, the one that lost would never come again:
   *
   *     changes ──ticket 1──▶ source, reads v2 ──▶ stored, position after v2
   *     fetch a   ──ticket 2──▶ source, reads v1 ………………………▶ stored, because 2 > 1: a is v1 for ever
   */
  overlapsBulk(ticket: number): boolean {
    return ticket > this.#bulk.ticket && ticket < this.#bulk.storedAt;
  }

  /** Nothing requested before this moment may be stored under this key. */
  invalidate(key: string): void {
    this.#mark(key, this.moment());
  }

  /** Nothing requested before this moment may be stored at all. */
  invalidateAll(): void {
    this.#markOfAll = this.moment();
  }

  /** The keys about which something later is known than a request with this ticket can say. */
  *keysMarkedAfter(ticket: number): Generator<string> {
    for (const [key, mark] of this.#marks) if (mark > ticket) yield key;
  }

  #mark(key: string, mark: number): void {
    if (this.#open.size === 0) return;
    this.#marks.delete(key);
    this.#marks.set(key, mark);
  }
}
