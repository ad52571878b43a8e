/** Which figures `npm run bench:check` judges, and which way they get better. */
import type { Better } from '../bench.ts';

/** What does not depend on how fast the machine is, and so is compared even where it is a figure of its own. */
const COUNTED: ReadonlySet<string> = new Set(['calls', 'statements', 'statements/min', 'rows', 'agents', 'bytes']);

/**
 * The rows of these contenders: fewer is better, but for what is done in a second. Not judged are times that stand
 * beside nothing, what others do, and the noise floor.
 */
export function ours(contenders: RegExp): Better {
  return ({ contender, ratio, unit }) => {
    if (!contenders.test(contender) || contender.endsWith(', a second one')) return undefined;
    if (ratio === null && !COUNTED.has(unit)) return undefined;
    return unit.endsWith('/s') ? 'higher' : 'lower';
  };
}

export const evercache: Better = ours(/^evercache\b/);
