/** What this machine has beside the server. */
import { hasPgbouncer } from '../../../test/support/pgbouncer.ts';
import type { Cluster } from './cluster.ts';
import { majorOfPgDump } from './dump.ts';

export interface Means {
  /** pgbouncer. */
  readonly pooler: boolean;
  /** A pg_dump that is not older than the server. */
  readonly dump: boolean;
}

export async function lookForMeans(cluster: Cluster): Promise<Means> {
  const [row] = await cluster.query<{ major: number }>(
    `select current_setting('server_version_num')::int / 10000 as major`,
  );
  return { pooler: hasPgbouncer(), dump: (majorOfPgDump() ?? 0) >= (row?.major ?? 0) };
}

/** What is not put to the test, and why. */
export function skipped({ pooler, dump }: Means): string[] {
  return [
    ...(pooler ? [] : ['skipped: mirrors through a pooler, there is no pgbouncer']),
    ...(dump ? [] : ['skipped: dump and restore, there is no pg_dump of the age of the server']),
  ];
}
