/** `npm run scoreboard`: runs every probe against every contender, two at a time, and writes docs/scoreboard.md. */
import { writeFileSync } from 'node:fs';
import { versionsOf } from '../versions.ts';
import { loadContender, scoreboardNames } from './contenders.ts';
import { probeGroups } from './probe-groups.ts';
import { runContender } from './run-contender.ts';
import { type Column, writeScoreboard } from './scoreboard.ts';

const AT_A_TIME = 2;

const begun = performance.now();
const waiting = [...scoreboardNames];
const columns = new Map<string, Column>();
await Promise.all(Array.from({ length: AT_A_TIME }, work));

const page = new URL('../../docs/scoreboard.md', import.meta.url);
writeFileSync(
  page,
  writeScoreboard(
    probeGroups,
    scoreboardNames.map((name) => columns.get(name)!),
    {
      date: new Date().toISOString().slice(0, 10),
      node: process.versions.node,
      tookSeconds: Math.round((performance.now() - begun) / 1_000),
    },
  ),
);
console.log('written: docs/scoreboard.md');

async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const contender = await loadContender(name);
    const results = await runContender(name);
    columns.set(name, { contender, version: versionsOf([contender.package])[contender.package]!, results });
    const count = (verdict: string): number => [...results.values()].filter((one) => one.verdict === verdict).length;
    console.log(`${name}: ${count('pass')} as expected, ${count('fail')} not, ${count('n/a')} not offered`);
  }
}
