/** Rounds: who asks for one shares it with others, and what it was told is in force when it has ended well. */
import type { RefreshReport } from '../src/index.ts';
import { type Call, isBulk, isForRead } from './calls.ts';
import { published } from './check-memory.ts';
import type { Operation } from './operations.ts';
import type { World } from './world.ts';

export function refresh(
  world: World,
  { full, dryRun, keys }: Omit<Extract<Operation, { kind: 'refresh' }>, 'kind'>,
): void {
  if (world.wild.calls.some((call) => call.state === 'under way' && !isForRead(call))) world.exercised(3);
  world.insisting += 1;
  if (dryRun) world.dryRuns += 1;
  const asked = world.ended;
  const refreshed = world.cache
    .refresh({ full, dryRun, ...(keys && { keys: world.keysAt(keys) }) })
    .then((report: RefreshReport) => {
      world.insisting -= 1;
      world.expect(1, (report.dryRun === true) === dryRun, () => `a dry run ${dryRun ? 'was' : 'came of'} a refresh`);
      if (dryRun) world.dryRuns -= 1;
      if (report.dryRun) {
        world.ended += 1;
        for (const call of endedRound(world)) call.round = 'lost';
      }
      world.refreshed(asked, report);
    });
  world.detach('refresh', refreshed);
}

/** The calls of the round that has just ended. */
function endedRound({ wild }: World): Call[] {
  return wild.calls.filter((call) => !isForRead(call) && call.round === 'open' && call.state === 'landed');
}

/** Core says that a round has ended. */
export function roundEnded(world: World, report: RefreshReport): void {
  const { outcome, kind, reason } = report;
  world.tell?.(`    round (${reason}) ${outcome}, ${kind}`);
  const calls = endedRound(world);
  const done = outcome !== 'failed' && outcome !== 'stopped';
  world.ended += 1;
  if (done) world.rounds += 1;
  const bulk =
    calls.findLast(({ method }) => method === 'fetchAll') ?? calls.findLast(({ method }) => method === 'fetchChanges');
  for (const call of calls) {
    // A delta may have been in force before its round was stopped.
    const stopped = outcome === 'stopped' && call.method === 'fetchChanges';
    const counts = stopped || (done && (call === bulk || !isBulk(call)));
    call.round = counts ? 'published' : 'lost';
    // What it was told of single keys counts from now on.
    for (const key of call.keys ?? []) world.known.of(key).keptUntil = undefined;
  }
  const goesOn = kind === 'delta' && calls.some(({ method }) => method === 'fetchChanges');
  world.soon.roundEnded(world, report, goesOn);
  if (done && bulk !== undefined) published(world, bulk, report);
}
