/** Does what a step says. Nothing here waits: what takes time goes on beside the next steps. */
import type { FetchOptions } from '../src/index.ts';
import { isForRead, isUnderWay, type Value } from './calls.ts';
import { AFTER_NUDGE } from './check-soon.ts';
import { drain } from './clock.ts';
import { accept, reject, trial } from './held.ts';
import type { Operation } from './operations.ts';
import { answered, begin, CALLER_TIMEOUT, failed, mayAsk, type Read } from './reads.ts';
import { refresh } from './rounds.ts';
import { giveTurn, settle } from './settle.ts';
import type { RowState } from './table.ts';
import type { World } from './world.ts';

export async function act(world: World, operation: Operation): Promise<void> {
  const { cache, clock, turns, wild } = world;
  switch (operation.kind) {
    case 'commit':
      return commit(world, world.keysAt(operation.keys), operation.state);
    case 'wipe':
      return commit(world, world.settings.keys, 'deleted');
    case 'fault':
      wild.faults.push(...Array.from({ length: operation.calls }, () => operation.fault));
      return;
    case 'fetch':
      return fetchOne(world, operation);
    case 'fetchMany': {
      const keys = world.keysAt(operation.keys);
      return read(world, `fetchMany(${JSON.stringify(keys)})`, { ...operation, keys }, (options) =>
        cache.fetchMany(keys, options),
      );
    }
    case 'warm':
      return warm(world, world.keysAt(operation.keys));
    case 'invalidate':
      return invalidate(world, world.keysAt(operation.keys));
    case 'invalidateAll':
      return invalidateAll(world);
    case 'refresh':
      return refresh(world, operation);
    case 'race':
      return race(world, operation);
    case 'nudge':
      world.nudged();
      if (wild.isWatched) world.soon.ring(world, AFTER_NUDGE);
      return wild.nudge();
    case 'lose':
      world.soon.lost();
      return wild.loseWatch();
    case 'accept':
      return accept(world);
    case 'reject':
      return reject(world);
    case 'trial':
      return trial(world, {
        ...operation,
        missing: world.keysAt(operation.missing),
        back: world.keysAt(operation.back),
      });
    case 'open':
      return open(world, operation.maxAge);
    case 'close':
      return close(world, operation.pick);
    case 'release':
      giveTurn(world, operation.pick);
      return;
    case 'answer':
      for (let left = turns.size; left > 0; left -= 1) {
        giveTurn(world, operation.pick);
        await settle(world);
      }
      return;
    case 'timer': {
      const due = clock.dueTimes();
      if (due.length === 0) return;
      return pass(world, due[operation.pick % due.length]!);
    }
    case 'pass':
      return pass(world, world.now + operation.ms);
    case 'suspend':
      await drain();
      world.caughtUp();
      return clock.suspend(operation.ms);
    case 'jump':
      return clock.jumpWall(operation.ms);
    case 'stop':
      return stop(world);
    case 'start':
      return start(world);
    case 'restart':
      stop(world);
      return start(world);
  }
}

async function pass(world: World, until: number): Promise<void> {
  await drain();
  world.caughtUp();
  world.turns.note(`time ${Math.max(0, until - world.now)}`);
  await world.clock.passTo(until);
  world.tell?.(`    now ${world.now}`);
}

function commit({ table }: World, keys: readonly string[], state: RowState): void {
  table.commit(new Map(keys.map((key) => [key, state])));
}

/** A read that goes on beside the history. */
function read(
  world: World,
  name: string,
  { keys, fresh, limit }: Pick<Read, 'keys' | 'fresh' | 'limit'>,
  ask: (options: FetchOptions | undefined) => Promise<ReadonlyMap<string, Value>>,
): void {
  const { turns, known, wild } = world;
  world.wanted(keys);
  for (const key of keys) {
    const joins = wild.calls.some((call) => isUnderWay(call) && isForRead(call) && call.keys!.includes(key));
    if (fresh) known.of(key).freshAt = world.tickets + 1;
    else if (joins && world.cache.inspect(key).state !== 'fresh') world.exercised(3);
  }
  const controller = limit === 'abort' ? new AbortController() : undefined;
  if (controller !== undefined) turns.add(`caller of ${name} gives up`, () => controller.abort(new Error('enough')));
  const begun = begin(world, { name, keys, fresh, limit, controller });
  const options = {
    fresh,
    ...(controller && { signal: controller.signal }),
    ...(limit === 'timeout' && { timeout: CALLER_TIMEOUT }),
  };
  // Who has no wishes takes a shorter way.
  ask(fresh || limit !== 'none' ? options : undefined).then(
    (found) => answered(world, begun, found),
    (error: unknown) => failed(world, begun, error),
  );
}

type OperationOf<K extends Operation['kind']> = Extract<Operation, { readonly kind: K }>;

function fetchOne(world: World, { key: index, fresh, limit }: Omit<OperationOf<'fetch'>, 'kind'>): void {
  const key = world.keyAt(index);
  read(world, `fetch(${JSON.stringify(key)})`, { keys: [key], fresh, limit }, async (options) => {
    const value = await world.cache.fetch(key, options);
    return new Map(value === undefined ? [] : [[key, value]]);
  });
}

async function race(world: World, { key, written, picks }: OperationOf<'race'>): Promise<void> {
  refresh(world, { full: false, dryRun: false });
  fetchOne(world, { key, fresh: true, limit: 'none' });
  for (const [index, pick] of picks.entries()) {
    if (index === written) commit(world, [world.keyAt(key)], 'good');
    giveTurn(world, pick);
    await settle(world);
  }
}

function warm(world: World, keys: readonly string[]): void {
  const name = `warm(${JSON.stringify(keys)})`;
  world.wanted(keys);
  for (const key of keys) mayAsk(world, key);
  const warmed = world.cache.warm(keys).then(({ requested, loaded, absent, failed }) => {
    world.absent += absent;
    world.expect(5, requested === loaded + absent + failed, () => `${name} does not add up`);
  });
  world.detach(name, warmed);
}

function invalidate(world: World, keys: readonly string[]): void {
  const { tickets, table } = world;
  const { head } = table;
  if (world.hasAll) world.soon.ask(world, 'after an invalidation');
  // Its nudge may send a request before it resolves: that one is after it.
  const done = world.cache.invalidate(keys.length === 1 ? keys[0]! : keys);
  for (const key of keys) world.known.invalidate(key, tickets, head, world.step);
  world.detach('invalidate', done);
}

function invalidateAll(world: World): void {
  const { tickets, table } = world;
  const { head } = table;
  if (world.hasAll) world.soon.ask(world, 'after an invalidation');
  const done = world.cache.invalidateAll();
  for (const key of world.settings.keys) world.known.invalidate(key, tickets, head, world.step);
  world.known.isLoaded = false;
  world.detach('invalidateAll', done);
}

function open(world: World, maxAge: number): void {
  const { cache, step, now } = world;
  if (world.life === 'stopped') {
    const said = failureOf(() => cache.snapshot({ maxAge }));
    world.expect(13, said === 'stopped', () => `a snapshot after stop: ${said}`);
    return;
  }
  const entries = new Map<string, Value>(cache.entries());
  const snapshot = cache.snapshot({ maxAge });
  const { generation } = cache.status();
  world.snapshots.add({ snapshot, entries, generation, endsAt: now + maxAge, step, closed: false });
}

/** The code of what this throws. */
function failureOf(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

function close({ snapshots }: World, pick: number): void {
  const all = [...snapshots];
  const chosen = all[pick % Math.max(1, all.length)];
  if (chosen === undefined) return;
  chosen.snapshot.close();
  chosen.closed = true;
}

export function start(world: World): void {
  // What went wrong in an earlier life says nothing of this one.
  if (world.life !== 'started') world.isOutage = false;
  world.life = 'started';
  world.detach('start', world.cache.start());
}

export function stop(world: World): void {
  const { cache, known, settings, table } = world;
  if (world.life === 'started' && world.wild.calls.some(({ state }) => state === 'under way')) world.exercised(13);
  const done = cache.stop();
  world.life = 'stopped';
  world.stoppedStep = world.step;
  for (const key of settings.keys) known.invalidate(key, world.tickets, table.head, world.step);
  known.inForce = undefined;
  known.isLoaded = false;
  world.soon.stopped();
  world.allowance.stopped();
  world.detach('stop', done);
}
