/** Keys known to be absent: for a short time, and bounded in number and in bytes, since anybody can ask for nonsense. */

const MAX_KEYS = 1_000;
const MAX_BYTES = 1_000_000;

export class Negatives {
  readonly #ttl: number;
  readonly #confirmedAt = new Map<string, number>();
  #bytes = 0;

  constructor(ttl: number) {
    this.#ttl = ttl;
  }

  get size(): number {
    return this.#confirmedAt.size;
  }

  /** A moment before which nothing needs sweeping. */
  get nextAt(): number {
    const oldest = this.#confirmedAt.values().next();
    return oldest.done ? Number.POSITIVE_INFINITY : oldest.value + this.#ttl;
  }

  /** When the key was confirmed to be absent; `undefined`: not known, or too long ago. */
  confirmedAt(key: string, now: number): number | undefined {
    const at = this.#confirmedAt.get(key);
    return at !== undefined && now - at <= this.#ttl ? at : undefined;
  }

  add(key: string, confirmedAt: number): void {
    this.delete(key);
    const bytes = Buffer.byteLength(key);
    if (this.#ttl === 0 || bytes > MAX_BYTES) return;
    this.#confirmedAt.set(key, confirmedAt);
    this.#bytes += bytes;
    for (const oldest of this.#confirmedAt.keys()) {
      if (this.size <= MAX_KEYS && this.#bytes <= MAX_BYTES) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    if (this.#confirmedAt.delete(key)) this.#bytes -= Buffer.byteLength(key);
  }

  keys(): Iterable<string> {
    return this.#confirmedAt.keys();
  }

  sweep(now: number): void {
    for (const [key, at] of this.#confirmedAt) {
      if (now - at <= this.#ttl) return;
      this.delete(key);
    }
  }

  clear(): void {
    this.#confirmedAt.clear();
    this.#bytes = 0;
  }
}
