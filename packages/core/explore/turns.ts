/**
 * The scheduler: everything outside core that core waits for takes its turn here, and the history says whose turn it
 * is. Its choices are numbers of the history, so that they shrink and can be read together with the rest.
 */

interface Turn {
  readonly label: string;
  readonly run: () => void;
}

export class Turns {
  readonly #waiting: Turn[] = [];
  #hash = 0x811c9dc5;

  /** Two histories with the same hash released the same things in the same order. */
  get hash(): number {
    return this.#hash;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Waits for its turn. Returns a function that gives it up. */
  add(label: string, run: () => void): () => void {
    const turn = { label, run };
    this.#waiting.push(turn);
    return () => {
      const index = this.#waiting.indexOf(turn);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  /** Gives a turn to one of those who wait. Returns its label, or `undefined`: nobody waits. */
  release(pick: number): string | undefined {
    if (this.#waiting.length === 0) return undefined;
    const [turn] = this.#waiting.splice(pick % this.#waiting.length, 1);
    this.note(turn!.label);
    turn!.run();
    return turn!.label;
  }

  /** Something else happened whose place in the order matters: FNV-1a over the labels. */
  note(label: string): void {
    for (let index = 0; index < label.length; index += 1) {
      this.#hash = Math.imul(this.#hash ^ label.charCodeAt(index), 0x01000193) >>> 0;
    }
  }
}
