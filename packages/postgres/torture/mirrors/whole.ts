/** The lowest tier: every refresh reads everything. */
import { postgresSource } from '../../src/index.ts';
import { LINES } from './by-key.ts';
import { keep, type Line, type MirrorKind } from './kind.ts';

export const whole: MirrorKind = {
  name: 'whole',
  keep(client, { truth }) {
    return keep(
      this.name,
      postgresSource<Line>({ client, ...LINES }),
      postgresSource<Line>({ client: truth, ...LINES }),
    );
  },
};
