/** What a bench is, and what it reports. */

export interface Bench {
  /** One line for the list of benches. */
  readonly title: string;
  /** It has large sets, too: what it finds with them is another result than what it finds without. */
  readonly hasLargeSets?: true;
  /** What `npm run bench:check` judges. Default: the rows of contenders whose name begins with "evercache". */
  readonly better?: Better;
  run(options: BenchOptions): Promise<BenchReport>;
}

/** Which way a figure gets better; `undefined`: nobody judges it. */
export type Better = (row: Measurement) => 'lower' | 'higher' | undefined;

export interface BenchOptions {
  /** A smoke run: small, a few seconds, and its figures mean nothing. */
  readonly quick: boolean;
  /** The large sets, too, where a bench has them. */
  readonly large: boolean;
  /** For how long a part is watched that happens by the clock. Default: the bench's own. */
  readonly seconds: number | undefined;
  /** Hears what the bench is doing. */
  readonly progress: (text: string) => void;
}

export interface BenchReport {
  /** What the figures depend on: sizes, rounds, settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Versions of what took part, beside those of the runtime. */
  readonly versions: Readonly<Record<string, string>>;
  readonly measurements: readonly Measurement[];
  readonly targets: readonly Target[];
}

export interface Measurement {
  /** The circumstances: a delay, a rate, a size. */
  readonly case: string;
  /** Who was measured. */
  readonly contender: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** How many times the value of this case's baseline; `null` where there is none to compare with. */
  readonly ratio: number | null;
  /** How far the figure may be off by chance, in percent; see `noiseOfMedian`. Only where it was repeated. */
  readonly noise?: number;
}

export interface Target {
  readonly target: string;
  /** The figure that decides, in words. */
  readonly measured: string;
  readonly met: boolean;
}
