/** What memory shows, looked at after every step. */

import type { RefreshReport } from '../src/index.ts';
import { type Call, confirmedAt, isBulk, isForRead, isUnderWay, mayBeSeen, speaksOf, type Value } from './calls.ts';
import { areKept, isGuarded, isRightlyHeld } from './check-held.ts';
import { areAnswered, describe } from './reads.ts';
import { ODD_NAMES, TTL } from './settings.ts';
import type { World } from './world.ts';

/** `settled`: nothing moves any more. */
export function look(world: World, settled: boolean): void {
  const { cache, settings, known, now } = world;
  const entries = new Map(cache.entries());
  const many = cache.getMany(settings.keys);
  world.expect(
    7,
    entries.size === cache.size &&
      entries.size === cache.stats().entries &&
      [...cache.keys()].every((key) => entries.has(key)),
    () => 'size, keys and entries differ',
  );
  world.expect(
    12,
    [...entries.keys()].every((key) => settings.keys.includes(key)),
    () => 'a key is visible that nobody wrote',
  );
  for (const [index, key] of settings.keys.entries()) {
    const value = cache.get(key);
    const same = many[index] === value && entries.get(key) === value && cache.has(key) === (value !== undefined);
    world.expect(7, same, () => `get, getMany, has and entries say different things about ${JSON.stringify(key)}`);
    if (value !== undefined) isAllowed(world, key, value, settled);
    checkDerived(world, key, value);
    checkInspection(world, key, value, settled);
    isSameObject(world, key, value);
  }
  if (settled) {
    isWhole(world);
    world.soon.look(world);
    const isOpen = cache.status().breaker !== 'closed';
    world.expect(5, isOpen || !world.breaker.isOpen, () => 'the breaker is closed after three failures in a row');
  }
  for (const [key, value] of entries) {
    const state = known.of(key);
    if (value.ticket !== undefined) state.seen = Math.max(state.seen, value.ticket);
  }
  for (const key of settings.keys) {
    const state = known.of(key);
    state.visible = entries.get(key);
    if (state.visible === undefined) state.visibleSince = world.step + 1;
    else state.visibleAt = now;
  }
  areKept(world);
  isBounded(world);
  world.evictions = cache.stats().evictions;
  world.wasHeld = cache.status().held !== undefined;
  checkSnapshots(world);
  if (settled) areAnswered(world);
  if (world.life === 'stopped') world.expect(13, entries.size === 0, () => 'something is visible after stop');
  if (world.life === 'stopped' && settled) leavesNothing(world);
}

/** After a stop nobody waits any more, and nothing stands in for anybody. */
function leavesNothing(world: World): void {
  world.expect(13, world.reads.size === 0, () => `${[...world.reads].map(({ name }) => name)} still wait after stop`);
  // A watch is given time to end, and snapshots may be opened of a cache that is stopped.
  const mayWait = world.wild.endingWatches > 0 || world.snapshots.size > 0;
  const { pendingTimers } = world.clock;
  world.expect(13, mayWait || pendingTimers === 0, () => `${pendingTimers} timers are left after stop`);
}

function isAllowed(world: World, key: string, value: Value, settled: boolean): void {
  const { known, table, wild, settings, now } = world;
  const { floor, floorCommit, seen, told, stored } = known.of(key);
  const say = `memory shows ${describe(value)}`;
  // What was here before was looked at when it came.
  const isNew = value !== known.of(key).visible;
  if (isNew) world.exercised(1);
  world.expect(1, value.key === key, () => `${say} under ${JSON.stringify(key)}`);
  const vouchedAt = world.vouchedAt(key, value);
  world.expect(1, vouchedAt > Number.NEGATIVE_INFINITY, () => `${say}, which no answer has brought`);
  world.expect(9, !(world.hasSchema && value.bad), () => `${say}, a bad row`);
  const isOutdated = table.supersededBy(key, value.version) <= floorCommit && !world.wasToldTooLate(key, value);
  world.expect(2, !isOutdated, () => `${say}, gone when it was invalidated`);
  if (isNew && settings.keys.includes('__proto__') && ODD_NAMES.indexOf(key) < 4) world.exercised(12);
  if (!world.isAsleep) {
    world.expect(10, now - vouchedAt <= world.maxAge, () => `${say}, ${now - vouchedAt} ms old: it is gone`);
  }
  if (value.ticket === undefined) return;
  const call = wild.calls[value.ticket - 1]!;
  world.expect(5, call.state === 'landed', () => `${say}, whose answer is ${call.state}`);
  world.expect(2, value.ticket > floor, () => `${say}, requested before it was invalidated (${floor})`);
  world.expect(16, value.ticket > known.of(key).accepted, () => `${say}, requested before its removal was accepted`);
  world.expect(14, value.ticket >= seen, () => `${say}, after one of ${seen} was`);
  // What is held or in quarantine stays as it was before answers that came too late to be stored.
  const isLater = world.vouchedBy(key, value) >= told || world.isKept(key);
  world.expect(14, isLater, () => `${say}, after a read was told of ${told}`);
  if (!settled) return;
  if (stored !== undefined) {
    world.expect(
      14,
      value.ticket >= stored.ticket,
      () => `${say}, although ${stored.ticket} was sent later and has landed`,
    );
  }
  // What a round reads is shown by its end, or by a delta that is in force while the round goes on.
  if (isForRead(call) || call.round === 'published') return;
  const goesOn = wild.calls.some((each) => isUnderWay(each) && !isForRead(each));
  world.expect(7, call.method === 'fetchChanges' && goesOn, () => `${say}, which no round has published`);
}

function checkDerived(world: World, key: string, value: Value | undefined): void {
  const derived = world.derived.get(key);
  const state = world.known.of(key);
  world.expect(2, derived?.of === value, () => `derive still shows ${derived && describe(derived.of)}`);
  if (value === undefined || derived === undefined) return;
  const same = state.derived?.value !== value || state.derived.derived === derived;
  world.expect(8, same, () => `derive computed twice for ${describe(value)}`);
  state.derived = { value, derived };
}

function checkInspection(world: World, key: string, value: Value | undefined, settled: boolean): void {
  const { now, table } = world;
  const { state, ageMs, value: inspected, quarantined } = world.cache.inspect(key);
  world.expect(10, inspected === value, () => `inspect and get differ about ${JSON.stringify(key)}`);
  if (value === undefined) {
    const { visible } = world.known.of(key);
    // It is out of sight since the last look.
    if (visible && isJudgedByTtl(world, visible) && now - world.vouchedAt(key, visible) > TTL) world.exercised(18);
    world.expect(
      10,
      state === 'absent' || state === 'unknown',
      () => `${JSON.stringify(key)} is ${state} without a value`,
    );
    return;
  }
  const say = `${describe(value)} is ${state}, ${ageMs} ms old`;
  const age = now - world.vouchedAt(key, value);
  if (age > 0) world.exercised(10);
  if (quarantined !== undefined) world.exercised(9);
  world.expect(10, ageMs! >= age, () => `${say}, but the request that vouches for it was sent ${age} ms ago`);
  const overwrittenAt = table.committedAt(table.supersededBy(key, value.version));
  // What a source that lags does not say, nobody knows.
  const isOutdated = ageMs! < now - overwrittenAt && !world.wasToldTooLate(key, value);
  world.expect(10, !isOutdated, () => `${say}, but was overwritten ${now - overwrittenAt} ms ago`);
  world.expect(10, state === (ageMs! <= TTL ? 'fresh' : 'stale'), () => say);
  if (!settled || !isJudgedByTtl(world, value)) return;
  if (state === 'stale') world.exercised(18);
  const mayBeStale = state === 'fresh' || world.isFailing || world.isKept(key);
  world.expect(18, mayBeStale, () => `${say}, and the source is well`);
}

/**
 * Where rounds see to it that all is confirmed in time, what is late is being asked for. Elsewhere a row that was fetched
 * singly is not shown when it is late; a set that was read whole is.
 */
function isJudgedByTtl({ isAsleep, hasAll, life, wild }: World, { ticket = 0 }: Value): boolean {
  if (isAsleep || !hasAll) return !isAsleep;
  const isSingle = wild.calls[ticket - 1]?.keys !== undefined;
  return life !== 'started' && isSingle && !wild.calls.slice(ticket).some((call) => isBulk(call) && mayBeSeen(call));
}

/** There is room for so many entries of single keys. */
function isBounded(world: World): void {
  const { cache, maxEntries } = world;
  if (cache.stats().evictions > world.evictions) world.exercised(19);
  world.expect(19, cache.size <= maxEntries, () => `${cache.size} entries, where there is room for ${maxEntries}`);
}

/** Identity is version: what is equal to what was there is what was there. */
function isSameObject(world: World, key: string, value: Value | undefined): void {
  const { settings } = world;
  const before = world.known.of(key).visible;
  if (value === undefined) return;
  if (settings.freeze) {
    const frozen = Object.isFrozen(value) && Object.isFrozen(value.inner) && Object.isFrozen(value.inner.list);
    world.expect(8, frozen, () => `${describe(value)} is not frozen`);
  }
  const { visibleSince } = world.known.of(key);
  if (before === undefined || visibleSince > world.step || settings.values === 'numbered') return;
  if (before.version !== value.version) return;
  // It may have gone for room since the last look, and come back.
  if (world.cache.stats().evictions > world.evictions) return;
  // Another version may have stood here between the two looks.
  const others = world.wild.calls.some(
    (call) =>
      call.state === 'landed' &&
      call.landedStep > world.step - world.happenings &&
      speaksOf(call, key) &&
      call.rows.get(key)?.version !== value.version,
  );
  if (others) return;
  world.expect(8, before === value, () => `${describe(value)} is another object than before, and equal`);
}

/** A reader sees a bulk answer whole: what it said of each key, if nothing later is known of that. */
function isWhole(world: World): void {
  const { known, cache, wild, settings } = world;
  for (const [, { ticket }] of cache.entries()) {
    const call = ticket === undefined ? undefined : wild.calls[ticket - 1]!;
    if (call !== undefined && isBulk(call)) known.publish(call);
  }
  const { inForce } = known;
  if (inForce === undefined) return;
  // A delta is in force before its round has ended, if it can be used at all.
  const perhaps = wild.calls.findLast(
    ({ method, state, round }) => method === 'fetchChanges' && state === 'landed' && round === 'open',
  );
  // A delta that came with an age has made the set as old as itself, though what its round read after it has failed.
  const since = wild.calls.filter(
    ({ method, state, ticket }) => method === 'fetchChanges' && state === 'landed' && ticket > inForce.ticket,
  );
  const inTime = world.now - Math.min(...[inForce, ...since].map(confirmedAt)) <= world.maxAge;
  for (const key of settings.keys) {
    const { expected } = known.of(key);
    if (expected === undefined || (perhaps !== undefined && speaksOf(perhaps, key))) continue;
    const { row, call } = expected;
    const value = cache.get(key);
    const isRefused = world.hasSchema && row?.bad === true;
    const isShown = value?.version === row?.version || (value === undefined && !inTime);
    const say = (): string => {
      const there = row === undefined ? 'is not' : `has ${isRefused ? 'a bad ' : ''}version ${row.version}`;
      const here = value === undefined ? 'nothing' : describe(value);
      return `${call.ticket} is in force, where ${JSON.stringify(key)} ${there}, but memory shows ${here}`;
    };
    world.expect(isRefused ? 9 : 7, (isShown && !isRefused) || world.isKept(key), say);
  }
}

function checkSnapshots(world: World): void {
  for (const open of world.snapshots) {
    const { snapshot, entries, generation, endsAt, closed } = open;
    const isOpen = !closed && open.step > world.stoppedStep && world.now < endsAt;
    // Until the event loop has turned, nobody can have closed it.
    if (!isOpen && !closed && world.isAsleep) continue;
    try {
      const now = new Map(snapshot.entries());
      world.expect(7, isOpen, () => 'a snapshot can be read after its end');
      const same =
        now.size === entries.size &&
        [...entries].every(([key, value]) => now.get(key) === value && snapshot.get(key) === value);
      world.expect(
        7,
        same && snapshot.size === entries.size && snapshot.generation === generation,
        () => 'an open snapshot has changed',
      );
    } catch (error) {
      world.expect(
        7,
        !isOpen && (error as { code?: string }).code === 'stopped',
        () => `an open snapshot threw ${String(error)}`,
      );
      world.snapshots.delete(open);
    }
  }
}

/** A round has ended that was not dry: what readers see now is what it says. */
export function published(world: World, call: Call, report: RefreshReport): void {
  const { known, cache, settings } = world;
  const before = new Map([...known.keys].flatMap(([key, { visible }]) => (visible ? [[key, visible] as const] : [])));
  const wasLoaded = known.isLoaded;
  if (!known.publish(call)) return;
  if (before.size > 0) world.exercised(7);
  if (settings.values !== 'numbered') {
    for (const [key, { version }] of before) if (call.rows.get(key)?.version === version) world.exercised(8);
  }
  for (const [key, value] of before) {
    const isRefused = world.hasSchema && call.rows.get(key)?.bad === true && known.of(key).expected !== undefined;
    if (!isRefused || world.happenings > 1 || world.now - world.vouchedAt(key, value) > world.maxAge) continue;
    world.exercised(9);
    world.expect(
      9,
      cache.get(key) === value,
      () => `${describe(value)} is not served any more, because a newer row is bad`,
    );
  }
  if (world.happenings > 1 || !wasLoaded) return;
  isGuarded(world, call, before);
  isRightlyHeld(world, call, before, report);
}
