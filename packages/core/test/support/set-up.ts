/** A cache over a scripted source on a virtual clock, for each shape that a source can have. */
import { TTLCacheService } from '../../src/index.ts';
import type { TTLCacheOptions } from '../../src/options.ts';
import type { StandardSchema } from '../../src/schema.ts';
import { type ScriptedCall, ScriptedSource, type SourceMethod, VirtualClock } from '../../testing/index.ts';

/** Every shape of source. */
export const SHAPES: readonly { readonly shape: string; readonly methods: readonly SourceMethod[] }[] = [
  { shape: 'fetchAll only', methods: ['fetchAll'] },
  { shape: 'fetchAll and fetchOne', methods: ['fetchAll', 'fetchOne'] },
  { shape: 'fetchAll and fetchMany', methods: ['fetchAll', 'fetchMany'] },
  { shape: 'fetchOne only', methods: ['fetchOne'] },
  { shape: 'fetchMany only', methods: ['fetchMany'] },
];

/** The shapes that can be asked for everything, and those that can be asked for single keys. */
export const WITH_SNAPSHOT: typeof SHAPES = SHAPES.filter(({ methods }) => methods.includes('fetchAll'));
export const WITH_KEYS: typeof SHAPES = SHAPES.filter(({ methods }) => methods.some((method) => method !== 'fetchAll'));
export const ON_DEMAND: typeof SHAPES = SHAPES.filter(({ methods }) => !methods.includes('fetchAll'));

/** A clock whose chance is a number of the test's choice. At 0 what failed would be tried again without end. */
export class SteadyClock extends VirtualClock {
  chance = 0.5;

  override random(): number {
    return this.chance;
  }
}

export interface SetUp<T> {
  readonly clock: SteadyClock;
  readonly source: ScriptedSource<T>;
  readonly cache: TTLCacheService<T>;
  /** The calls that were made and can still be answered by the test, in order. */
  readonly calls: ScriptedCall<T>[];
}

export type Settings<T> = Partial<Omit<TTLCacheOptions<T>, 'source' | 'clock' | 'schema'>> & {
  readonly methods?: readonly SourceMethod[];
  readonly rows?: Iterable<readonly [string, T]>;
  readonly schema?: StandardSchema<T>;
  readonly clock?: SteadyClock;
};

export function setUp<T = string>({
  methods,
  rows,
  clock = new SteadyClock(),
  // Most sets here are so small that every change would be a catastrophe: who tests that, says so.
  guard = { acceptAfter: 1 },
  ...options
}: Settings<T> = {}): SetUp<T> {
  const source = new ScriptedSource<T>({ clock, ...(rows && { rows }), ...(methods && { methods }) });
  const cache = new TTLCacheService<T>({ name: 'test', source, clock, guard, ...options } as TTLCacheOptions<T>);
  return { clock, source, cache, calls: source.calls };
}

/** Holds every row of the source, whatever its shape. */
export async function load<T>({ cache, source }: SetUp<T>): Promise<void> {
  await cache.start();
  if (source.fetchAll === undefined) await cache.warm(source.rows.keys());
}
