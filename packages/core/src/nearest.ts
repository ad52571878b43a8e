/** The name that somebody probably meant. Knows nothing of what the names stand for. */

const MOST_EDITS = 3;

/** The known name that is a few typing errors away, if there is one; upper and lower case count as the same. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let found: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const longer = Math.max(name.length, candidate.length);
    // A third of the letters, so that a short name is not taken for every other short one.
    const allowed = Math.min(MOST_EDITS, Math.max(1, Math.floor(longer / 3)));
    // Said before counting: a name of a million letters is not worth a table.
    if (Math.abs(name.length - candidate.length) > allowed) continue;
    const edits = countEdits(name.toLowerCase(), candidate.toLowerCase());
    if (edits > allowed || edits >= fewest) continue;
    found = candidate;
    fewest = edits;
  }
  return found;
}

/** Letters added, left out, mistaken or swapped with their neighbour, at the least, between two texts. */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = Math.min(
        last[column]! + 1,
        next[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
        swapped ? beforeLast[column - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
    beforeLast = last;
    last = next;
  }
  return last[to.length]!;
}
