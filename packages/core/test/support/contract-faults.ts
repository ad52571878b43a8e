/** Sources that break the contract in one thing, and which check finds them. */
import type { Delta, FetchContext, Snapshot, Source } from '../../src/index.ts';
import {
  ScriptedSource,
  type SourceHarness,
  type SourceMethod,
  sourceContract,
  VirtualClock,
} from '../../testing/index.ts';

export const context: FetchContext = { signal: new AbortController().signal, reason: 'test' };
export const ALL: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchMany', 'fetchChanges', 'watch'];

/** A scripted source as `wrap` makes it, over rows that the checks can change. */
export const harness =
  (wrap: (source: ScriptedSource<number>) => Source<number>, methods: readonly SourceMethod[] = ALL) =>
  async (): Promise<SourceHarness<number>> => {
    const scripted = new ScriptedSource<number>({ clock: new VirtualClock(), methods });
    return {
      source: wrap(scripted),
      setRows: async (rows) => {
        for (const key of scripted.rows.keys()) if (!rows.has(key)) scripted.rows.delete(key);
        for (const [key, value] of rows) if (scripted.rows.get(key) !== value) scripted.rows.set(key, value);
        scripted.nudge();
      },
      value: (seed) => seed,
    };
  };

/** Which checks a faulty source fails. */
export async function failures(wrap: (source: ScriptedSource<number>) => Source<number>): Promise<string[]> {
  const failed: string[] = [];
  for (const { title, run } of sourceContract(harness(wrap), { nudgeWithin: '30ms' })) {
    await run().catch(() => failed.push(title));
  }
  return failed;
}

export interface Fault {
  readonly fault: string;
  /** The check that finds it; others may too. */
  readonly check: string;
  readonly wrap: (source: ScriptedSource<number>) => Source<number>;
}

/** What the scripted source answers. */
export const all = async (source: ScriptedSource<number>, given: FetchContext = context): Promise<Snapshot<number>> =>
  (await source.fetchAll!(given)) as Snapshot<number>;
export const changes = async (
  source: ScriptedSource<number>,
  since: unknown,
  given = context,
): Promise<Delta<number>> => (await source.fetchChanges!(since, given)) as Delta<number>;
