/** `npm run torture -- [--seconds N] [--seed S]`: mirrors of tables that are written to while everything goes wrong. */
import { parseArgs } from 'node:util';
import { toReport } from './report.ts';
import { Torture } from './torture.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!(seconds > 0 && Number.isFinite(seconds) && Number.isInteger(seed))) {
  throw new TypeError('expected --seconds to be a number greater than 0 and --seed a whole number');
}

console.log(`torture: ${seconds} seconds, seed ${seed}`);
const torture = new Torture(seed);
process.on('unhandledRejection', (reason) => torture.tally.fault('a rejection was not handled', String(reason)));
await torture.run(seconds);
console.log(toReport(torture));
if (torture.tally.faults.length > 0) process.exitCode = 1;
