/**
 * Transaction ids, as snapshots have them (64 bits, each given out once) and as rows have them: the low 32 bits, which are
 * given out again after four billion others, and keep their place in rows that have been frozen since.
 */

const CIRCLE = 2n ** 32n;

/**
 * Half a circle is what PostgreSQL tells apart: of two ids of rows, the one that is less than half a circle ahead is the
 * later one. A half of that leaves room for the ids that are given out while we look.
 */
const REACH = CIRCLE / 4n;

/** The id as rows have it. */
export function onRows(xid: string): string {
  return String(BigInt(xid) % CIRCLE);
}

/** Whether rows tell what was written between the two. */
export function isWithinReach(from: string, to: string): boolean {
  return BigInt(to) - BigInt(from) < REACH;
}
