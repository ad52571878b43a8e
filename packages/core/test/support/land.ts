import { type ScriptedCall, settle } from '../../testing/index.ts';

/**
 * Answers all calls that are held, those included that are made meanwhile: one at a time, the next one chosen by
 * `choose`, everything settled in between.
 */
export async function land<T>(
  calls: readonly ScriptedCall<T>[],
  choose: 'oldest first' | 'newest first' | ((pending: ScriptedCall<T>[]) => ScriptedCall<T>),
  afterEach: () => void = () => undefined,
): Promise<void> {
  const landed = new Set<ScriptedCall<T>>();
  for (;;) {
    await settle();
    afterEach();
    const pending = calls.filter((call) => !landed.has(call));
    if (pending.length === 0) return;
    const next =
      typeof choose === 'function' ? choose(pending) : choose === 'oldest first' ? pending[0]! : pending.at(-1)!;
    landed.add(next);
    next.answer();
  }
}

/** All orders in which `items` can come. */
export function permutations<I>(items: readonly I[]): I[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
