/** The key of a changed row is the key. */
import { postgresSource } from '../../src/index.ts';
import { keep, type Line, type MirrorKind } from './kind.ts';

export const LINES = {
  select: `select id, amount, null::int as epoch, null::int as commits from items where not hidden
    union all select id, booked, epoch, commits from writers`,
  key: 'id',
};

export const byKey: MirrorKind = {
  name: 'by key',
  keep(client, { truth }) {
    const source = postgresSource<Line>({ client, ...LINES, follow: { items: 'key', writers: 'key' } });
    return keep(this.name, source, postgresSource<Line>({ client: truth, ...LINES }));
  },
};
