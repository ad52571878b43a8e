/** What a run is told on the command line. */
import { parseArgs } from 'node:util';

export interface Settings {
  readonly seconds: number;
  /** Of chance; what happens at the same time is in nobody's hand, so a run is not repeated exactly. */
  readonly seed: number;
  readonly extent: Extent;
}

/** `short`: a few mirrors and faults; `middle`: all of them; `long`: it has to have met with everything that can happen. */
export type Extent = 'short' | 'middle' | 'long';

const MIDDLE_SECONDS = 20;
const LONG_SECONDS = 120;

/** `--seconds 60`, `--seed 7`. */
export function settingsFrom(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '300' }, seed: { type: 'string' } },
  });
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  if (!(seconds > 0 && Number.isFinite(seconds))) {
    throw new TypeError(`option "--seconds": expected a number greater than 0, got "${values.seconds}"`);
  }
  if (!Number.isSafeInteger(seed))
    throw new TypeError(`option "--seed": expected a whole number, got "${values.seed}"`);
  const extent = seconds < MIDDLE_SECONDS ? 'short' : seconds < LONG_SECONDS ? 'middle' : 'long';
  return { seconds, seed, extent };
}
