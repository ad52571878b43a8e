import { expect, test } from 'vitest';
import type { Delta, FetchContext, Source } from '../src/index.ts';
import type { ScriptedSource } from '../testing/index.ts';
import { all, changes, type Fault, failures } from './support/contract-faults.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

/** A source that follows changes, but in one thing. */
const following = (
  source: ScriptedSource<number>,
  fetchChanges: (since: unknown, given: FetchContext) => Promise<Delta<number> | 'resync'>,
): Source<number> => ({ fetchAll: (given) => source.fetchAll!(given), fetchChanges });

const FAULTS: readonly Fault[] = [
  {
    fault: 'gives no position with its snapshot',
    check: 'gives a position with the snapshot, from which there is nothing new as long as nothing changes',
    wrap: (source) => ({
      ...following(source, source.fetchChanges!),
      fetchAll: async () => (await all(source)).entries,
    }),
  },
  {
    fault: 'keeps its position to itself',
    check: 'gives a position with the snapshot, from which there is nothing new as long as nothing changes',
    wrap: (source) => {
      let position: unknown;
      return {
        fetchAll: async () => {
          const { entries, cursor } = await all(source);
          position = cursor;
          return entries;
        },
        fetchChanges: async (since) => changes(source, since ?? position),
      };
    },
  },
  {
    fault: 'names what came and went as changed and as gone',
    check: 'brings the end of what came and went meanwhile',
    wrap: (source) =>
      following(source, async (since) => {
        const { upserts, deletes, cursor } = await changes(source, since);
        const gone = [...deletes].includes('x') ? ([['x', 0]] as const) : [];
        return { upserts: [...(upserts as Map<string, number>), ...gone], deletes, cursor };
      }),
  },
  {
    fault: 'forgets what was removed',
    check: 'brings exactly what was added, changed and removed',
    wrap: (source) => following(source, async (since) => ({ ...(await changes(source, since)), deletes: [] })),
  },
  {
    fault: 'brings everything each time',
    check: 'gives a position with the snapshot, from which there is nothing new as long as nothing changes',
    wrap: (source) =>
      following(source, async (since) => ({ ...(await changes(source, since)), upserts: new Map(source.rows) })),
  },
  {
    fault: 'stays where it was',
    check: 'goes on where the last delta ended',
    wrap: (source) => following(source, async (since) => ({ ...(await changes(source, since)), cursor: since })),
  },
  {
    fault: 'takes the position of a delta at the end of its reading',
    check: 'loses nothing that changes while a snapshot or a delta is read',
    wrap: (source) =>
      following(source, async (since) => {
        const { upserts, deletes } = await changes(source, since);
        return {
          upserts,
          deletes,
          get cursor() {
            return source.cursor;
          },
        };
      }),
  },
  {
    fault: 'takes the position of a snapshot at the end of its reading',
    check: 'loses nothing that changes while a snapshot or a delta is read',
    wrap: (source) => ({
      ...following(source, source.fetchChanges!),
      fetchAll: async () => {
        const { entries } = await all(source);
        return {
          entries,
          get cursor() {
            return source.cursor;
          },
        };
      },
    }),
  },
  {
    fault: 'forgets changes once they were asked for',
    check: 'gives the same changes again from the same position',
    wrap: (source) => {
      let told = 0;
      return following(source, async (since) => {
        const delta = await changes(source, Math.max(since as number, told));
        told = delta.cursor as number;
        return delta;
      });
    },
  },
  {
    fault: 'names a key as changed and as gone',
    check: 'goes on where the last delta ended',
    wrap: (source) =>
      following(source, async (since) => {
        const delta = await changes(source, since);
        return {
          ...delta,
          upserts: [...(delta.upserts as Map<string, number>), ...[...delta.deletes].map((key) => [key, 0] as const)],
        };
      }),
  },
  {
    fault: 'names a key twice',
    check: 'brings exactly what was added, changed and removed',
    wrap: (source) =>
      following(source, async (since) => {
        const delta = await changes(source, since);
        return { ...delta, upserts: [...(delta.upserts as Map<string, number>)].flatMap((row) => [row, row]) };
      }),
  },
  {
    fault: 'takes for gone what came back',
    check: 'brings the end of what came and went meanwhile',
    wrap: (source) => {
      const gone = new Set<string>();
      const remove = source.rows.delete.bind(source.rows);
      source.rows.delete = (key) => {
        gone.add(key);
        return remove(key);
      };
      return following(source, async (since) => {
        const { upserts, cursor } = await changes(source, since);
        const rows = [...(upserts as Map<string, number>)].filter(([key]) => !gone.has(key));
        return { upserts: rows, deletes: gone, cursor };
      });
    },
  },
  {
    fault: 'keeps changes in a plain object',
    check: 'takes any string for the key of a change',
    wrap: (source) =>
      following(source, async (since) => {
        const delta = await changes(source, since);
        const rows: Record<string, unknown> = {};
        for (const [key, value] of delta.upserts as Map<string, number>) rows[key] = value;
        return { ...delta, upserts: Object.entries(rows) as [string, number][] };
      }),
  },
  {
    fault: 'goes on from anywhere',
    check: 'does not go on from a position that it never gave',
    wrap: (source) => following(source, (since) => changes(source, typeof since === 'number' ? since : source.cursor)),
  },
  {
    fault: 'can never say what has changed',
    check: 'brings exactly what was added, changed and removed',
    wrap: (source) => following(source, async () => 'resync'),
  },
  {
    fault: 'follows changes without looking at the signal',
    check: 'gives no changes where the signal is aborted already',
    wrap: (source) => following(source, (since) => changes(source, since)),
  },
];

test.each(FAULTS)('finds a source that $fault', async ({ check, wrap }) => {
  expect(await failures(wrap)).toContain(check);
});
