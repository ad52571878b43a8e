/** What promotion and restore have in common: from some moment on, another history is the true one. */
import type { Mark, Marks } from '../history.ts';
import type { World } from './fault.ts';

/** Lets another server take over while no writer writes; how many acknowledged commits are gone. */
export async function newHistory({ cluster, gate, history }: World, takeOver: () => Promise<void>): Promise<number> {
  gate.close();
  try {
    const before = history.acknowledged;
    history.beginEpoch();
    await takeOver();
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
