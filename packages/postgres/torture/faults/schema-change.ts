/** A followed table is given a column, or loses it; or the log is installed once more. */
import type { Fault } from './fault.ts';

const SCRIPTS = [
  'alter table items add column if not exists note text',
  'alter table items drop column if exists note',
  `select evercache.follow('items', array['owner'])`,
];

export const schemaChange: Fault = {
  name: 'schema changed',
  async strike({ cluster, chance }) {
    await cluster.query(`set lock_timeout = '3s'; ${chance.pick(SCRIPTS)}`);
  },
};
