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
    const place = this.#places.get(key) ?? this.size;
    if (place === this.#keys.length) this.#resize(2 * place);
    this.#places.delete(key);
    this.#place(key, this.#inTicks(moment), place);
    this.#up(place);
    this.#down(place);
  }

  delete(key: string): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    this.#places.delete(key);
    const last = this.size;
    const [lastKey, lastTicks] = [this.#keys[last]!, this.#ticks[last]!];
    this.#keys[last] = undefined;
    if (place < last) {
      this.#place(lastKey, lastTicks, place);
      this.#up(place);
      this.#down(place);
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

  #up(from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#ticks[parent]! <= this.#ticks[place]!) return;
      this.#swap(parent, place);
      place = parent;
    }
  }

  #down(from: number): void {
    const { size } = this;
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const right = left + 1;
      let least = place;
      if (left < size && this.#ticks[left]! < this.#ticks[least]!) least = left;
      if (right < size && this.#ticks[right]! < this.#ticks[least]!) least = right;
      if (least === place) return;
      this.#swap(least, place);
      place = least;
    }
  }

  #swap(a: number, b: number): void {
    const [key, ticks] = [this.#keys[a]!, this.#ticks[a]!];
    this.#place(this.#keys[b]!, this.#ticks[b]!, a);
    this.#place(key, ticks, b);
  }
}
