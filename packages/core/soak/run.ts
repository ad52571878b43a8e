/** `npm run soak`: reads caches over an unsteady source for ten minutes, and says whether anything went wrong. */
import { summary, verdict } from './report.ts';
import { settingsFrom } from './settings.ts';
import { Soak } from './soak.ts';

/** Longer than the slowest answer that somebody may still be waiting for. */
const STILL_ALIVE_MS = 3_000;

const { seconds, seed } = settingsFrom(process.argv.slice(2));
const ticks = Math.max(2, Math.floor(seconds / 60));
console.log(`soak: ${seconds} seconds, seed ${seed}`);

const soak = new Soak(seed);
process.on('unhandledRejection', (reason) => soak.faults.note('a rejection was not handled', String(reason)));
process.on('warning', ({ name, message }) => soak.faults.note(`a warning: ${name}`, message));

await soak.run(seconds, ticks, (tick) => {
  console.log(`${Math.round((tick * seconds) / ticks)} s: ${summary(soak)}`);
});
for (const line of verdict(soak)) console.log(line);
if (soak.faults.count > 0) process.exitCode = 1;

// Nothing is left to do, so the process ends by itself. If it does not, this timer, which keeps nothing alive, fires.
setTimeout(() => {
  console.log(`FAULT: the process does not end by itself: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}, STILL_ALIVE_MS).unref();
