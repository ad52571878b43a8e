/** `npm run torture -- [--seconds N] [--seed S]`: mirrors of tables that are written to while everything goes wrong. */
import { toReport } from './report.ts';
import { settingsFrom } from './settings.ts';
import { Torture } from './torture.ts';

const settings = settingsFrom(process.argv.slice(2));
console.log(`torture: ${settings.seconds} seconds, seed ${settings.seed}`);

const torture = new Torture({ ...settings, say: (line) => console.log(line) });
process.on('unhandledRejection', (reason) => torture.tally.fault('a rejection was not handled', String(reason)));
try {
  await torture.run();
} catch (error) {
  torture.tally.fault('the run broke off', error instanceof Error ? `${error.stack}` : String(error));
}
console.log(toReport(torture));
if (torture.tally.faults.length > 0) process.exitCode = 1;
