/**
 * A followed table is given a column, or loses it; two columns swap their names, which writes no row; the log is installed
 * once more; a trigger was off for a moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';

const SCRIPTS = [
  'alter table items add column if not exists note text',
  'alter table items drop column if exists note',
  'alter table owners rename label to was; alter table owners rename spare to label; alter table owners rename was to spare',
  `select evercache.follow('items', array['owner'])`,
];

/** Nothing is written while it is off, and yet nobody could tell. */
const OFF_AND_ON =
  'alter table items disable trigger evercache_update; alter table items enable always trigger evercache_update';

export const schemaChange: Fault = {
  name: 'schema changed',
  async strike({ cluster, chance }) {
    await cluster.query(`set lock_timeout = '3s'; ${OFF_AND_ON}`);
    // Long enough for somebody to look in between.
    await sleep(300);
    await cluster.query(`set lock_timeout = '3s'; ${chance.pick(SCRIPTS)}`);
  },
};
