/**
 * What the writers know to be committed, and so what a snapshot must show. Each transaction leaves its number with its
 * writer. Just before it commits, it is noted which transactions of the others had been acknowledged: whoever sees this
 * one must see those. An epoch begins when a part of the history is lost (promotion, restore).
 */

/** The last transaction of a writer: in which epoch it was made, and its number. */
export interface Mark {
  readonly epoch: number;
  readonly commits: number;
}

/** By writer. */
export type Marks = ReadonlyMap<string, Mark>;

export class History {
  epoch = 0;
  /** It opens again before it has replayed all that it had shown. */
  crashesOfStandby = 0;
  #acknowledged = new Map<string, Mark>();
  readonly #knownAt = new Map<string, Marks>();

  /** What is acknowledged now. */
  get acknowledged(): Marks {
    return new Map(this.#acknowledged);
  }

  get transactions(): number {
    return this.#knownAt.size;
  }

  committing(writer: string, mark: Mark): void {
    this.#knownAt.set(nameOf(writer, mark), this.acknowledged);
  }

  committed(writer: string, mark: Mark): void {
    this.#acknowledged.set(writer, mark);
  }

  /** From here on only this is known to be there. */
  beginEpoch(): void {
    this.epoch += 1;
    this.#acknowledged = new Map();
  }

  /** What a state with these marks lacks of what is known; `undefined`: nothing. */
  lackOf(seen: Marks): string | undefined {
    for (const [writer, mark] of seen) {
      if (mark.commits === 0) continue;
      const known = this.#knownAt.get(nameOf(writer, mark));
      if (known === undefined) return `${nameOf(writer, mark)} was never committed`;
      const behind = firstBehind(seen, known);
      if (behind !== undefined) return `${nameOf(writer, mark)} without ${behind}`;
    }
    return undefined;
  }
}

/** The first mark that is not reached, by name. */
export function firstBehind(seen: Marks, known: Marks): string | undefined {
  for (const [writer, mark] of known) {
    const at = seen.get(writer);
    if (at === undefined || at.epoch < mark.epoch || (at.epoch === mark.epoch && at.commits < mark.commits)) {
      return `${nameOf(writer, mark)}, but ${at === undefined ? 'nothing' : nameOf(writer, at)}`;
    }
  }
  return undefined;
}

function nameOf(writer: string, { epoch, commits }: Mark): string {
  return `${writer}/${epoch}/${commits}`;
}
