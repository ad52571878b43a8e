/** What a run is told on the command line. */

export interface Settings {
  readonly seconds: number;
  readonly seed: number;
}

const KNOWN = ['--minutes', '--seconds', '--seed'];

/** `--minutes 10` or `--seconds 8`; `--seed 7`. */
export function settingsFrom(args: readonly string[]): Settings {
  let seconds = 600;
  let seed = Math.floor(Math.random() * 2 ** 31);
  for (let index = 0; index < args.length; index += 2) {
    const [name, text = ''] = [args[index]!, args[index + 1]];
    const number = Number(text);
    if (!KNOWN.includes(name)) throw new TypeError(`unknown option "${name}"; expected one of ${KNOWN.join(', ')}`);
    if (text === '' || !(number >= 0 && Number.isFinite(number))) {
      throw new TypeError(`option "${name}": expected a number of 0 or more, got "${text}"`);
    }
    if (name === '--seed') seed = number;
    else seconds = name === '--minutes' ? number * 60 : number;
  }
  if (seconds < 8) throw new TypeError(`expected a run of 8 seconds or more, got ${seconds}`);
  return { seconds, seed };
}
