/** Keys with a moment each, and which of them comes first. */

const FEWEST_PLACES = 16;
const MOST_TICKS = 2 ** 31 - 1;

/**
 * An indexed binary heap (`IndexMinPQ` of Sedgewick and Wayne, Algorithms, 4th edition, 2.4): each key stands here once,
 * whatever happens to it, so nothing is left behind that has to be swept. Setting a key to a moment later than all
 * others moves nothing.
 *
 * Two flat arrays and a map from key to place: objects would take four times the room. A moment is kept in whole ticks,
 * rounded down, so that nothing looks younger than it is. A tick is a millisecond until a moment no longer fits into 32
 * bits, which is after 24 days of the clock; from then on it is two, and so on.
 */
export class KeysByMoment {
  /** Where each key stands in the heap; in the order in which they were set. */
  readonly #places = new Map<string, number>();
  #keys: (string | undefined)[] = new Array(FEWEST_PLACES);
  #ticks = new Int32Array(FEWEST_PLACES);
  #tickMs = 1;

  get size(): number {
    return this.#places.size;
  }

  /** The earliest moment; Infinity: there is none. */
  get first(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#ticks[0]! * this.#tickMs;
  }

  /** The key of the earliest moment. */
  get firstKey(): string | undefined {
    return this.#keys[0];
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** Less than a tick before the moment that was set. */
  get(key: string): number | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#ticks[place]! * this.#tickMs;
  }

  /** The one that was set longest ago stands first. */
  keys(): IterableIterator<string> {
    return this.#places.keys();
  }

  set(key: string, moment: number): void {
    const known = this.#places.get(key);
    const ticks = this.#inTicks(moment);
    if (this.size === this.#keys.length) this.#resize(2 * this.size);
    // Out of the map and in again, so that it is the last there: in the heap it has its place meanwhile.
    const size = known === undefined ? this.size + 1 : this.size;
    if (known !== undefined) this.#places.delete(key);
    this.#sift(key, ticks, known ?? size - 1, size);
  }

  delete(key: string): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    this.#places.delete(key);
    const last = this.size;
    const [lastKey, lastTicks] = [this.#keys[last]!, this.#ticks[last]!];
    this.#keys[last] = undefined;
    if (place < last) {
      this.#sift(lastKey, lastTicks, place, last);
    }
    if (last > FEWEST_PLACES && last < this.#keys.length / 4) this.#resize(this.#keys.length / 2);
    return true;
  }

  clear(): void {
    this.#places.clear();
    this.#keys = new Array(FEWEST_PLACES);
    this.#ticks = new Int32Array(FEWEST_PLACES);
  }

  #inTicks(moment: number): number {
    while (Math.abs(moment) > MOST_TICKS * this.#tickMs) {
      this.#tickMs *= 2;
      for (let place = 0; place < this.size; place += 1) this.#ticks[place]! >>= 1;
    }
    return Math.floor(moment / this.#tickMs);
  }

  #resize(places: number): void {
    const [keys, ticks] = [this.#keys, this.#ticks];
    this.#keys = new Array(places);
    this.#ticks = new Int32Array(places);
    for (let place = 0; place < Math.min(places, keys.length); place += 1) this.#keys[place] = keys[place];
    this.#ticks.set(ticks.subarray(0, places));
  }

  #place(key: string, ticks: number, place: number): void {
    this.#keys[place] = key;
    this.#ticks[place] = ticks;
    this.#places.set(key, place);
  }

  /** Places a key where it belongs, at `from` or above or below it, in a heap of so many. */
  #sift(key: string, ticks: number, from: number, size: number): void {
    const place = this.#roomAbove(ticks, from);
    this.#place(key, ticks, place < from ? place : this.#roomBelow(ticks, from, size));
  }

  /** Moves what is later than this down, as far as it stands above a place; answers which place is left. */
  #roomAbove(ticks: number, from: number): number {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#ticks[parent]! <= ticks) return place;
      this.#place(this.#keys[parent]!, this.#ticks[parent]!, place);
      place = parent;
    }
    return place;
  }

  /** Moves what is earlier than this up, as far as it stands below a place; answers which place is left. */
  #roomBelow(ticks: number, from: number, size: number): number {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= size) return place;
      const right = left + 1;
      const least = right < size && this.#ticks[right]! < this.#ticks[left]! ? right : left;
      if (this.#ticks[least]! >= ticks) return place;
      this.#place(this.#keys[least]!, this.#ticks[least]!, place);
      place = least;
    }
  }
}
