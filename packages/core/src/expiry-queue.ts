/** What falls due next: a binary heap by deadline. */

/** Something that falls due. `queuedFor` belongs to the queue. */
export interface Expiring {
  /** When it falls due; may move later while it is queued. */
  deadline: number;
  /** The deadline under which it stands in the queue; `undefined`: it does not. */
  queuedFor: number | undefined;
  /** Gone from the store: the queue drops it when it meets it. */
  removed: boolean;
}

interface Place<E> {
  readonly at: number;
  readonly entry: E;
}

/**
 * Each entry stands here once. Moving a deadline later costs nothing: the entry is met at its old place and queued
 * again. Only a deadline that moves earlier takes a second place.
 */
export class ExpiryQueue<E extends Expiring> {
  #heap: Place<E>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Call after `deadline` was set. */
  add(entry: E): void {
    if (entry.deadline === Number.POSITIVE_INFINITY) return;
    if (entry.queuedFor !== undefined && entry.queuedFor <= entry.deadline) return;
    entry.queuedFor = entry.deadline;
    this.#heap.push({ at: entry.deadline, entry });
    this.#up(this.#heap.length - 1);
  }

  /** A moment before which nothing falls due. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Takes one entry whose deadline has passed (`deadline < now`), or `undefined`: no more. */
  takeDue(now: number): E | undefined {
    for (let place = this.#heap[0]; place !== undefined && place.at < now; place = this.#heap[0]) {
      this.#removeFirst();
      const { entry, at } = place;
      if (entry.removed || entry.queuedFor !== at) continue;
      entry.queuedFor = undefined;
      if (entry.deadline < now) return entry;
      this.add(entry);
    }
    return undefined;
  }

  /** Forgets the removed entries, which otherwise stay until their time has come. */
  compact(): void {
    const places = this.#heap.filter(({ entry, at }) => !entry.removed && entry.queuedFor === at);
    // A sorted array is a heap.
    this.#heap = places.sort((a, b) => a.at - b.at);
  }

  clear(): void {
    this.#heap = [];
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#heap[parent]!.at <= this.#heap[index]!.at) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #down(index: number): void {
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (left < this.#heap.length && this.#heap[left]!.at < this.#heap[least]!.at) least = left;
      if (right < this.#heap.length && this.#heap[right]!.at < this.#heap[least]!.at) least = right;
      if (least === index) return;
      this.#swap(least, index);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const place = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = place;
  }
}
