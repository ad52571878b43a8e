/** Lists, found by a logged column of the changed row: an item that moves touches two. */
import { postgresSource } from '../../src/index.ts';
import { keep, type Line, type MirrorKind } from './kind.ts';

const LISTS = {
  select: `select owner as list, id, amount, null::int as epoch, null::int as commits from items where not hidden
    union all select 'writers', id, booked, epoch, commits from writers`,
  key: 'list',
  rows: 'grouped' as const,
  orderBy: ['id'],
};

export const byColumn: MirrorKind = {
  name: 'by column',
  keep(client, { truth }) {
    const source = postgresSource<Line>({
      client,
      ...LISTS,
      follow: { items: { column: 'owner' }, writers: { sql: `select 'writers' from changed` } },
    });
    return keep(this.name, source, postgresSource<Line>({ client: truth, ...LISTS }));
  },
};
