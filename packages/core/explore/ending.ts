/** How a history ends: the faults are over, and the cache becomes what the source is; then it stops without a trace. */
import { start } from './act.ts';
import { accept } from './held.ts';
import { REFRESH_TIMEOUT, SCARCE, TTL } from './settings.ts';
import { everybody, settle } from './settle.ts';
import type { World } from './world.ts';

const LONGEST_MS = 120_000;

export async function isConverging(world: World): Promise<void> {
  const { settings, wild, cache } = world;
  wild.faults = [];
  if (world.life !== 'started') start(world);
  const longest = Math.max(world.turnsOf(settings.keys) * settings.timeout, REFRESH_TIMEOUT);
  await pass(world, world.now + longest + 1, () => false);
  world.expect(4, world.reads.size === 0, () => `${[...world.reads].map(({ name }) => name)} still wait`);
  if (cache.status().held?.rejected) accept(world);
  const before = world.rounds;
  const needed = 1 + settings.guard.acceptAfter;
  // A source without `fetchAll` has no timer of its own.
  for (let asked = 0; asked < needed && !world.hasAll; asked += 1) {
    void cache.refresh();
    await everybody(world);
  }
  await pass(world, world.now + LONGEST_MS, () => world.rounds - before >= needed);
  world.expect(4, world.detached.size === 0, () => `${[...world.detached].join(', ')} has not ended`);
  world.expect(15, world.rounds - before >= needed, () => `there were ${world.rounds - before} rounds in two minutes`);
  isAsTheSource(world);
  await isFetched(world);
}

/** Time passes, and everybody gets his turn, until then or until it is enough. */
async function pass(world: World, until: number, isEnough: () => boolean): Promise<void> {
  for (;;) {
    await everybody(world);
    await settle(world);
    if (world.broken !== undefined || isEnough()) return;
    if (world.turns.size > 0) continue;
    const [next = Number.POSITIVE_INFINITY] = world.clock.dueTimes();
    if (next > until) break;
    await world.clock.passTo(Math.max(next, world.now));
  }
  await world.clock.passTo(until);
}

function isAsTheSource(world: World): void {
  const { cache, table, settings } = world;
  world.exercised(15);
  for (const key of settings.keys) {
    const row = table.row(key);
    const value = cache.get(key);
    if (row?.bad && world.hasSchema) {
      world.expect(9, value === undefined || value.version < row.version, () => `${JSON.stringify(key)} is bad`);
      continue;
    }
    const holdsAll = world.hasAll && row !== undefined;
    const say = (): string => `${JSON.stringify(key)} has version ${row?.version}, the cache shows ${value?.version}`;
    world.expect(15, value === undefined ? !holdsAll : value.version === row?.version, say);
    const { ageMs } = cache.inspect(key);
    if (value !== undefined && world.hasAll) {
      world.expect(15, ageMs! <= TTL, () => `${JSON.stringify(key)} is ${ageMs} ms old although rounds succeed`);
    }
  }
}

/** And a read that asks is told what the source has. One at a time: the first may be the probe of an open breaker. */
async function isFetched(world: World): Promise<void> {
  const { cache, table, settings } = world;
  if (!world.hasAll) await pass(world, world.now + LONGEST_MS, () => false);
  for (const key of settings.keys) {
    const row = table.row(key);
    if (row?.bad && world.hasSchema) continue;
    world.known.of(key).freshAt = world.tickets + 1;
    world.wanted([key]);
    let told: unknown = 'nothing';
    const fetched = cache.fetch(key, { fresh: true });
    void fetched.then(
      (value) => (told = value?.version),
      ({ code }: { code: string }) => (told = code),
    );
    await everybody(world);
    const refused = told === 'rate-limited' && settings.maxAbsentPerSecond === SCARCE;
    world.expect(
      15,
      refused || told === row?.version,
      () => `fetch of ${JSON.stringify(key)} gave ${told}, not ${row?.version}`,
    );
  }
}

export async function isStopped(world: World): Promise<void> {
  const { cache, clock, settings } = world;
  await everybody(world);
  world.exercised(13);
  world.expect(13, clock.pendingTimers === 0, () => `${clock.pendingTimers} timers are left after stop`);
  world.expect(13, cache.size === 0, () => 'something is left after stop');
  world.expect(13, world.wild.standingWatches === 0, () => 'a watch is left standing');
  const key = settings.keys[0]!;
  const outcome = await cache.fetch(key).then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  );
  world.expect(13, outcome === 'stopped', () => `fetch after stop: ${outcome}`);
  const { outcome: refreshed } = await cache.refresh();
  // Where nothing is held there is nothing to ask for, stopped or not.
  const said = world.hasAll ? 'stopped' : 'unchanged';
  world.expect(13, refreshed === said, () => `refresh after stop: ${refreshed}`);
}
