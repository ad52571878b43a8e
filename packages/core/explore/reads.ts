/** Reads that wait: what each may be told, and that it is told something at all. */
import { CacheError } from '../src/index.ts';
import { type Call, confirmedAt, isForRead, mayBeSeen, speaksOf, type Value } from './calls.ts';
import type { Limit } from './operations.ts';
import { SCARCE, TTL } from './settings.ts';
import type { World } from './world.ts';

/** What was known of a key when a read of it started. */
interface AtStart {
  readonly floor: number;
  readonly floorCommit: number;
  readonly seen: number;
  readonly told: number;
  readonly visible: boolean;
  /** Its last good value stayed although a newer answer had come: held, or in quarantine. */
  readonly kept: boolean;
}

export interface Read {
  readonly name: string;
  readonly keys: readonly string[];
  readonly fresh: boolean;
  readonly limit: Limit;
  readonly controller: AbortController | undefined;
  readonly startedAt: number;
  readonly startedStep: number;
  /** It started before the event loop had turned after a suspend. */
  readonly inSleep: boolean;
  /** Requests that had been sent. */
  readonly tickets: number;
  readonly atStart: ReadonlyMap<string, AtStart>;
}

/** Absent answers that are never too many: what ten seconds bring. */
const FEWEST_TOKENS = 10 * SCARCE;

/** What a caller waits at most, where it says so. */
export const CALLER_TIMEOUT = 120;

export function begin(world: World, read: Pick<Read, 'name' | 'keys' | 'fresh' | 'limit' | 'controller'>): Read {
  const atStart = new Map(
    read.keys.map((key) => {
      const { floor, floorCommit, seen, told } = world.known.of(key);
      return [key, { floor, floorCommit, seen, told, visible: world.cache.has(key), kept: world.isKept(key) }] as const;
    }),
  );
  const begun = {
    ...read,
    startedAt: world.now,
    startedStep: world.step,
    inSleep: world.isAsleep,
    tickets: world.tickets,
    atStart,
  };
  world.reads.add(begun);
  for (const key of read.keys) {
    mayAsk(world, key);
    // Something is held when it is wanted: by the time of its turn that may have been invalidated.
    if (isHeldAndAskedFor(world, key, read.fresh)) world.known.of(key).isAllowed = true;
  }
  return begun;
}

/** Is something held under this key, and does a read ask for it all the same? */
function isHeldAndAskedFor({ cache, known, now, maxAge }: World, key: string, fresh: boolean): boolean {
  const { state, quarantined } = cache.inspect(key);
  const { visibleAt } = known.of(key);
  const isInReserve = visibleAt !== undefined && now - visibleAt <= maxAge;
  return quarantined !== undefined || (state === 'fresh' ? fresh : state === 'stale' || isInReserve);
}

/** A read of this key begins: it may ask the source, be it now or when it gets there. */
export function mayAsk(world: World, key: string): void {
  if (world.allowance.mayAsk(world.now)) world.known.of(key).isAllowed = true;
}

/** A read was answered: with values, and with nothing for the other keys. */
export function answered(world: World, read: Read, found: ReadonlyMap<string, Value>): void {
  world.reads.delete(read);
  for (const [key, value] of found) isAllowed(world, read, key, value);
  world.absent += read.keys.length - found.size;
  for (const key of read.keys) if (!found.has(key)) mayBeAbsent(world, read, key);
  for (const key of found.keys()) {
    world.expect(12, read.keys.includes(key), () => `${read.name} was answered with another key, ${key}`);
  }
}

export function failed(world: World, read: Read, error: unknown): void {
  world.reads.delete(read);
  const { code, partial } = error as CacheError;
  world.absent += read.keys.length;
  world.expect(5, CacheError.isInstance(error), () => `${read.name} threw ${String(error)}`);
  for (const [key, value] of (partial as ReadonlyMap<string, Value>) ?? []) isAllowed(world, read, key, value);
  const codes = ['source-failed', 'source-timeout', 'breaker-open', 'invalid-snapshot'];
  if (read.limit === 'abort') codes.push('aborted');
  if (world.settings.maxAbsentPerSecond === SCARCE) codes.push('rate-limited');
  if (world.life === 'stopped' || world.stoppedStep >= read.startedStep) codes.push('stopped');
  world.expect(5, codes.includes(code), () => `${read.name} threw "${code}"`);
  if (code === 'rate-limited') {
    world.exercised(11);
    world.expect(
      11,
      world.absent >= FEWEST_TOKENS,
      () => `${read.name} was refused after ${world.absent} absent answers`,
    );
  }
  if (world.life === 'stopped' || code === 'stopped' || code === 'aborted' || read.fresh) return;
  world.exercised(5);
  // A failure of one key of several says nothing about which.
  const [key] = read.keys;
  if (read.keys.length > 1 || key === undefined) return;
  const { visible, visibleSince } = world.known.of(key);
  const wasVisible = read.atStart.get(key)!.visible && visibleSince <= read.startedStep;
  const couldServe = wasVisible && visible !== undefined && world.cache.get(key) === visible;
  const age = world.now - (visible ? world.vouchedAt(key, visible) : 0);
  world.expect(5, !couldServe || age > world.maxAge, () => `${read.name} threw "${code}" with a stale value at hand`);
}

function isAllowed(world: World, read: Read, key: string, value: Value): void {
  const start = read.atStart.get(key);
  if (start === undefined) return;
  const { wild, table, now } = world;
  const say = `${read.name} returned ${describe(value)}`;
  world.expect(1, value.key === key, () => `${say} for ${JSON.stringify(key)}`);
  const vouchedAt = world.vouchedAt(key, value);
  world.expect(1, vouchedAt > Number.NEGATIVE_INFINITY, () => `${say}, which no answer has brought`);
  const isOutdated = table.supersededBy(key, value.version) <= start.floorCommit && !world.wasToldTooLate(key, value);
  if (start.floor > 0) world.exercised(2);
  world.expect(2, !isOutdated, () => `${say}, gone when the key was invalidated before the read`);
  // What memory could say of one key is not asked again while the others are waited for.
  const age = (read.keys.length > 1 ? read.startedAt : now) - vouchedAt;
  const wasAsked = wild.calls.some(
    (call) => tellsOf(call, key) && (call.ticket > read.tickets || call.landedAt >= read.startedAt),
  );
  world.expect(10, wasAsked || age <= world.maxAge || read.inSleep || world.isAsleep, () => `${say}, ${age} ms old`);
  if (read.fresh) {
    const own = wild.calls.slice(read.tickets).some((call) => call.state === 'landed' && tellsOf(call, key));
    world.expect(3, own, () => `${say}, but it wanted an answer of its own`);
  }
  if (value.ticket === undefined) return;
  const call = wild.calls[value.ticket - 1]!;
  world.expect(4, call.state !== 'late', () => `${say}: its answer came too late`);
  world.expect(2, value.ticket > start.floor, () => `${say}, requested before the key was invalidated`);
  world.expect(14, value.ticket >= start.seen, () => `${say}, older than what was visible before (${start.seen})`);
  // What memory said at the start of a read of several keys counts, though it may be no longer kept by its end.
  const isLater = world.vouchedBy(key, value) >= start.told || start.kept || world.isKept(key);
  world.expect(14, isLater, () => `${say}, after a read was told of ${start.told}`);
  const slow = call.landedAt - confirmedAt(call) > TTL;
  const known = world.known.of(key);
  if (!slow) known.told = Math.max(known.told, value.ticket);
}

/** A delta tells of every key: what it does not mention is as it was. */
function tellsOf(call: Call, key: string): boolean {
  return call.method === 'fetchChanges' || speaksOf(call, key);
}

/** "Absent" needs somebody who said so, after the last invalidation and not too long ago. */
function mayBeAbsent(world: World, read: Read, key: string): void {
  const { floor } = read.atStart.get(key)!;
  const { settings, known, canReadKeys } = world;
  const fromMemory = settings.closedWorld ? world.maxAge : settings.negativeTtl;
  const said = world.wild.calls.some((call) => {
    if (!mayBeSeen(call) || call.ticket <= floor || call.rows.has(key)) return false;
    const single = !call.method.startsWith('fetchA') && call.method !== 'fetchChanges';
    if (single && !speaksOf(call, key)) return false;
    if (call.landedAt >= read.startedAt || read.inSleep) return true;
    const limit = single ? settings.negativeTtl : settings.closedWorld || !canReadKeys ? fromMemory : -1;
    // No age comes with "absent" of a single key.
    return (
      read.startedAt - (single ? call.at : confirmedAt(call)) <=
      Math.max(limit, single && settings.closedWorld ? world.maxAge : 0)
    );
  });
  if (!world.wild.calls.slice(read.tickets).some((call) => speaksOf(call, key))) world.exercised(11);
  world.expect(
    11,
    said,
    () => `${read.name} said that ${JSON.stringify(key)} is absent, which nobody has said since ${known.of(key).floor}`,
  );
}

/** Nobody waits longer than he has to. Called when nothing moves any more. */
export function areAnswered(world: World): void {
  if (world.isAsleep) return;
  const { settings, now } = world;
  for (const read of world.reads) {
    const waited = now - read.startedAt;
    const say = (why: string) => (): string => `${read.name} has waited ${waited} ms ${why}`;
    world.expect(4, read.controller?.signal.aborted !== true, say('and its caller has given up'));
    if (read.limit === 'timeout') world.expect(4, waited < CALLER_TIMEOUT, say('and its caller wanted to wait less'));
    const inTime = now - lastTurnOf(world, read) < settings.timeout;
    if (world.canReadKeys) world.expect(4, inTime, say('and the deadline is over'));
    const [key] = read.keys;
    if (read.fresh || read.keys.length > 1 || key === undefined) continue;
    const { visible, visibleSince } = world.known.of(key);
    const servable = visible !== undefined && read.atStart.get(key)!.visible && visibleSince <= read.startedStep;
    world.expect(4, !servable || waited < Math.max(1, settings.softTimeout), say('with a stale value at hand'));
  }
}

/** When the last of its keys was asked for that had to wait for its turn; where none had to: when it started. */
function lastTurnOf(world: World, { keys, startedAt }: Read): number {
  if (world.turnsOf(keys) === 1) return startedAt;
  const last = world.wild.calls.findLast((call) => isForRead(call) && keys.some((key) => speaksOf(call, key)));
  return Math.max(startedAt, last?.at ?? 0);
}

export function describe(value: Value): string {
  const { key, version, ticket } = value;
  return `${JSON.stringify(key)} version ${version}${ticket === undefined ? '' : ` of request ${ticket}`}`;
}
