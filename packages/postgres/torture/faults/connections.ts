/** Sessions of writers and mirrors are ended by an administrator. */
import type { Fault } from './fault.ts';

export const killedConnections: Fault = {
  name: 'connections killed',
  async strike({ cluster, chance, tally }) {
    const url = chance.oneIn(3) ? cluster.standbyUrl : cluster.primaryUrl;
    const ended = await cluster.query(
      `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
        where application_name like 'torture %' order by random() limit ${chance.whole(1, 6)}) as chosen`,
      url,
    );
    tally.count('connections that were killed', ended.length);
  },
};
