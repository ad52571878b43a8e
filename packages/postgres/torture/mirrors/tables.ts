/** The tables themselves, all in one generation; a view joins each item with its owner, when it is looked at. */
import { type FollowBy, postgresMirror } from '../../src/index.ts';
import { byLookUp } from './by-look-up.ts';
import { type Held, type Line, type MirrorKind, SETTINGS } from './kind.ts';

type Item = Pick<Line, 'id' | 'amount'> & { readonly owner: string };
type Owner = { readonly id: string; readonly label: number };
type Writer = Pick<Line, 'id' | 'epoch' | 'commits'> & { readonly booked: string };

const tablesBy = (followBy: FollowBy, name: string): MirrorKind => ({
  name,
  keep(client, beside) {
    const mirror = postgresMirror({
      name,
      client,
      followBy,
      ...SETTINGS,
      tables: {
        items: { table: 'items', where: 'not hidden', map: (row) => row as unknown as Item },
        owners: { table: 'owners', map: (row) => row as unknown as Owner },
        writers: { table: 'writers', map: (row) => row as unknown as Writer },
      },
    });
    const lines = mirror.view({
      name: 'lines',
      keys: 'items',
      build: ({ id, amount, owner }, read): Line => {
        const label = read.owners.get(owner)?.label ?? null;
        return { id, amount, owner, label, epoch: null, commits: null };
      },
    });
    return {
      cache: mirror,
      *entries(): Generator<[string, Held]> {
        yield* lines.entries();
        for (const [key, { id, booked, epoch, commits }] of mirror.tables.writers.entries()) {
          yield [key, { id, amount: booked, owner: null, label: null, epoch, commits }];
        }
      },
      truth: byLookUp.keep(beside.truth, beside).truth,
    };
  },
});

export const tables: MirrorKind = tablesBy('log', 'tables');

/** By the ids that the rows themselves bear, whoever wrote them. */
export const scannedTables: MirrorKind = tablesBy('xmin', 'tables, scanned');
