/** As by key, and told of changes by a bell over a connection of its own to the primary. */
import { postgresSource } from '../../src/index.ts';
import { LINES } from './by-key.ts';
import { keep, type Line, type MirrorKind } from './kind.ts';

export const rung: MirrorKind = {
  name: 'rung',
  keep(client, { truth, primaryUrl }) {
    const source = postgresSource<Line>({
      client,
      ...LINES,
      follow: { items: 'key', writers: 'key' },
      push: { mode: 'leader', connectionString: primaryUrl },
    });
    return keep(this.name, source, postgresSource<Line>({ client: truth, ...LINES }));
  },
};
