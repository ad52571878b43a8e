/** Joined rows: a changed owner touches all of its items, which a SELECT finds. */
import { postgresSource } from '../../src/index.ts';
import { keep, type Line, type MirrorKind } from './kind.ts';

const JOINED = {
  select: `select i.id, i.amount, i.owner, o.label, null::int as epoch, null::int as commits
    from items as i join owners as o on o.id = i.owner where not hidden
    union all select id, booked, null, null, epoch, commits from writers`,
  key: 'id',
};

export const byLookUp: MirrorKind = {
  name: 'by look-up',
  keep(client, { truth }) {
    const source = postgresSource<Line>({
      client,
      ...JOINED,
      follow: {
        items: 'key',
        writers: 'key',
        owners: { sql: 'select i.id from items as i join changed as c on i.owner = c.key' },
      },
    });
    return keep(this.name, source, postgresSource<Line>({ client: truth, ...JOINED }));
  },
};
