/** Who goes when, where several are measured in rounds: what comes and goes on the machine is to strike all alike. */

/**
 * Every second round goes backwards, so that two of them give each the same place on average, and none always comes after
 * the same other. After two rounds another one begins.
 */
export function inTurns<T>(contenders: readonly T[], round: number): T[] {
  const first = Math.floor(round / 2);
  const order = contenders.map((_, place) => contenders[(place + first) % contenders.length]!);
  return round % 2 === 0 ? order : order.toReversed();
}
