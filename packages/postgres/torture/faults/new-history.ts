/** What promotion and restore have in common: from some moment on, another history is the true one. */
import type { PrivatePostgres } from '../../../../test/support/private-postgres.ts';
import type { Mark, Marks } from '../history.ts';
import type { World } from './fault.ts';

/** Lets the successor take over while no writer writes; how many acknowledged commits are gone. */
export async function newHistory(
  { cluster, chance, gate, history, tally }: World,
  successor: () => Promise<PrivatePostgres>,
): Promise<number> {
  gate.close();
  try {
    const before = history.acknowledged;
    history.beginEpoch();
    const overtaking = chance.oneIn(2);
    await cluster.replacePrimary(await successor(), { overtaking });
    if (overtaking) tally.count('paths: a new history that had overtaken the old one');
    const rows = await cluster.query<Mark & { id: string }>('select id, epoch, commits from writers');
    for (const { id, epoch, commits } of rows) history.committed(id, { epoch, commits });
    await cluster.rebuildStandby();
    return lostOf(before, history.acknowledged);
  } finally {
    gate.open();
  }
}

function lostOf(before: Marks, after: Marks): number {
  let lost = 0;
  for (const [writer, { commits }] of before) lost += Math.max(0, commits - (after.get(writer)?.commits ?? 0));
  return lost;
}
