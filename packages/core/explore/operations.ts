/** What a history is made of: steps, each an operation and how long the next one waits for it. */
import fc from 'fast-check';
import { FAULTS, type Fault } from './calls.ts';
import type { RowState } from './table.ts';

/** `key` and `keys` are positions among the keys of the history; `pick` chooses among those there are. */
export type Operation =
  | { readonly kind: 'commit'; readonly keys: readonly number[]; readonly state: RowState }
  | { readonly kind: 'wipe' }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly calls: number }
  | { readonly kind: 'fetch'; readonly key: number; readonly fresh: boolean; readonly limit: Limit }
  | { readonly kind: 'fetchMany'; readonly keys: readonly number[]; readonly fresh: boolean; readonly limit: Limit }
  | { readonly kind: 'warm'; readonly keys: readonly number[] }
  | { readonly kind: 'invalidate'; readonly keys: readonly number[] }
  | { readonly kind: 'invalidateAll' }
  | { readonly kind: 'refresh'; readonly full: boolean; readonly dryRun: boolean; readonly keys?: readonly number[] }
  /** A refresh and a fetch at once, and the row is written after so many of the turns that follow. */
  | { readonly kind: 'race'; readonly key: number; readonly written: number; readonly picks: readonly number[] }
  | { readonly kind: 'nudge' }
  | { readonly kind: 'lose' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'reject' }
  /** Rows vanish, or the source says so, until they are held, and somebody says what is to become of them. */
  | {
      readonly kind: 'trial';
      readonly missing: readonly number[];
      readonly lies: boolean;
      readonly verdict: 'accept' | 'reject';
      readonly during: boolean;
      readonly again: number;
      readonly back: readonly number[];
      readonly picks: readonly number[];
    }
  | { readonly kind: 'open'; readonly maxAge: number }
  | { readonly kind: 'close'; readonly pick: number }
  | { readonly kind: 'release'; readonly pick: number }
  | { readonly kind: 'answer'; readonly pick: number }
  | { readonly kind: 'timer'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'suspend'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'start' }
  | { readonly kind: 'restart' };

/** Who reads may give up: at a turn of its own, or when a time is over. */
export type Limit = 'none' | 'abort' | 'timeout';

export interface Step {
  readonly operation: Operation;
  /** Microtasks until the next step; `'all'`: until nothing moves any more. */
  readonly gap: number | 'all';
}

const key = fc.nat({ max: 4 });
const someKeys = fc.uniqueArray(key, { minLength: 1, maxLength: 4 });
const pick = fc.nat({ max: 30 });
const limit = fc.constantFrom<Limit>('none', 'none', 'none', 'abort', 'timeout');
const fresh = fc.constantFrom(false, false, true);

function one<K extends Operation['kind']>(kind: K, fields: object = {}): fc.Arbitrary<Operation> {
  return fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Operation>;
}

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 30, arbitrary: one('release', { pick }) },
  { weight: 8, arbitrary: one('answer', { pick }) },
  { weight: 8, arbitrary: one('commit', { keys: someKeys, state: fc.constantFrom('good', 'good', 'deleted', 'bad') }) },
  { weight: 4, arbitrary: one('wipe') },
  {
    weight: 4,
    arbitrary: one('fault', {
      fault: fc.constantFrom(...FAULTS, 'fail', 'hang', 'empty', 'empty'),
      calls: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 12, arbitrary: one('fetch', { key, fresh, limit }) },
  { weight: 4, arbitrary: one('fetchMany', { keys: someKeys, fresh, limit }) },
  { weight: 1, arbitrary: one('warm', { keys: someKeys }) },
  { weight: 4, arbitrary: one('invalidate', { keys: someKeys }) },
  { weight: 1, arbitrary: one('invalidateAll') },
  { weight: 3, arbitrary: one('refresh', { full: fc.boolean(), dryRun: fc.constant(false) }) },
  { weight: 1, arbitrary: one('refresh', { full: fc.boolean(), dryRun: fc.constant(true) }) },
  { weight: 2, arbitrary: one('refresh', { full: fc.constant(false), dryRun: fresh, keys: someKeys }) },
  { weight: 3, arbitrary: one('race', { key, written: fc.nat({ max: 3 }), picks: fc.array(pick, { maxLength: 6 }) }) },
  { weight: 3, arbitrary: one('nudge') },
  { weight: 1, arbitrary: one('lose') },
  { weight: 1, arbitrary: one('accept') },
  { weight: 1, arbitrary: one('reject') },
  {
    weight: 4,
    arbitrary: one('trial', {
      missing: fc.uniqueArray(key, { minLength: 2, maxLength: 5 }),
      lies: fc.boolean(),
      verdict: fc.constantFrom('accept', 'reject'),
      during: fc.boolean(),
      again: fc.nat({ max: 3 }),
      back: someKeys,
      picks: fc.array(pick, { maxLength: 6 }),
    }),
  },
  { weight: 2, arbitrary: one('open', { maxAge: fc.constantFrom(100, 1_000, 10_000) }) },
  { weight: 1, arbitrary: one('close', { pick }) },
  { weight: 5, arbitrary: one('timer', { pick: fc.nat({ max: 4 }) }) },
  { weight: 3, arbitrary: one('pass', { ms: fc.constantFrom(0, 1, 60, 310, 501, 2_001, 5_100) }) },
  { weight: 1, arbitrary: one('suspend', { ms: fc.constantFrom(10, 1_000, 2_500, 10_000, 200_000) }) },
  { weight: 1, arbitrary: one('jump', { ms: fc.constantFrom(-86_400_000, 86_400_000) }) },
  { weight: 1, arbitrary: one('stop') },
  { weight: 2, arbitrary: one('start') },
  { weight: 1, arbitrary: one('restart') },
);

const step: fc.Arbitrary<Step> = fc.record({
  operation,
  gap: fc.constantFrom<(number | 'all')[]>('all', 'all', 'all', 'all', 'all', 0, 1, 2, 4),
});

const FEWEST = 20;
const MOST = 60;

/** Long when it is drawn; what is left of it when it fails may be as short as it gets. */
class LongSteps extends fc.Arbitrary<Step[]> {
  readonly #long = fc.array(step, { minLength: FEWEST, maxLength: MOST, size: 'max' });
  readonly #short = fc.array(step, { maxLength: MOST, size: 'max' });

  override generate(random: fc.Random, bias: number | undefined): fc.Value<Step[]> {
    return this.#long.generate(random, bias);
  }

  override canShrinkWithoutContext(_: unknown): _ is Step[] {
    return false;
  }

  override shrink(steps: Step[], context: unknown): fc.Stream<fc.Value<Step[]>> {
    return this.#short.shrink(steps, context);
  }
}

export const steps: fc.Arbitrary<Step[]> = new LongSteps();

/** A step as one line. */
export function describeStep({ operation: { kind, ...fields }, gap }: Step, names: readonly string[]): string {
  const words = Object.entries(fields).map(([name, value]) => {
    if (name === 'key') return nameOf(value, names);
    if (name === 'missing' || name === 'back') return `${name} ${namesOf(value, names)}`;
    if (name === 'keys') return namesOf(value, names);
    return `${name} ${value}`;
  });
  return [kind, ...words, gap === 'all' ? '' : `(next after ${gap} microtasks)`]
    .filter((word) => word !== '')
    .join(' ');
}

function namesOf(indices: unknown, names: readonly string[]): string {
  return `[${[...new Set((indices as number[]).map((each) => nameOf(each, names)))].join(', ')}]`;
}

function nameOf(index: unknown, names: readonly string[]): string {
  return JSON.stringify(names[(index as number) % names.length]);
}
