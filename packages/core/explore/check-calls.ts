/** Calls to the source: that they are allowed, and what their ends make true. */
import { CacheError } from '../src/index.ts';
import { type Call, confirmedAt, isBulk, isForRead, isUnderWay, mayBeSeen, speaksOf } from './calls.ts';
import { TTL } from './settings.ts';
import type { World } from './world.ts';

/** A request is being sent. */
export function sent(world: World, call: Call): void {
  const say = (why: string) => (): string => `request ${call.ticket} (${call.method}, ${call.reason}) was sent ${why}`;
  world.tell?.(
    `    ${call.ticket}: ${call.method} ${call.keys === undefined ? '' : JSON.stringify(call.keys)} (${call.reason})`,
  );
  world.expect(13, world.life !== 'stopped', say('after stop'));
  world.expect(4, !call.signal.aborted, say('with a signal that is aborted'));
  isOneFlight(world, call, say);
  obeysBreaker(world, call, say);
  if (!isForRead(call)) return;
  for (const key of call.keys!) {
    const isWanted = world.known.of(key).wantedAt > world.stoppedStep;
    world.expect(13, isWanted, say(`for ${JSON.stringify(key)}, wanted only before the last stop`));
    isNotKnownAbsent(world, key, say);
    isWithinLimit(world, key, say);
  }
}

function isOneFlight(world: World, call: Call, say: (why: string) => () => string): void {
  const underWay = world.wild.calls.filter(isUnderWay);
  if (isForRead(call)) {
    for (const key of call.keys!) {
      const { floor, accepted, freshAt } = world.known.of(key);
      const since = Math.max(floor, accepted);
      const other = underWay.find((each) => isForRead(each) && each.keys!.includes(key) && each.ticket > since);
      if (other === undefined || freshAt > other.ticket) continue;
      // If something that was sent later has landed first, who asks now must not be told what was true before it.
      const overtaken = world.wild.calls.some((each) => each.ticket > other.ticket && each.state === 'landed');
      world.expect(3, overtaken, say(`beside ${other.ticket} for the same key`));
    }
    return;
  }
  const round = underWay.find(
    (each) => !isForRead(each) && (isBulk(each) || isBulk(call) || each.keys!.some((key) => call.keys!.includes(key))),
  );
  world.expect(3, round === undefined, say(`while ${round?.ticket} of another round was under way`));
}

function obeysBreaker(world: World, call: Call, say: (why: string) => () => string): void {
  if (world.breaker.isOpen) world.exercised(5);
  const insists = call.reason === 'manual' || world.insisting > 0;
  const refused = world.breaker.sent(call, call.ticket - 1, insists);
  world.expect(5, refused === undefined, say(refused ?? ''));
}

/** Unknown keys are cheap: what was said to be absent is remembered. */
function isNotKnownAbsent(world: World, key: string, say: (why: string) => () => string): void {
  const { settings, known, now } = world;
  const { stored, freshAt, waits, single, expected } = known.of(key);
  known.of(key).waits = false;
  // What has waited for its turn was wanted before that was known.
  if (freshAt > 0 || waits) return;
  const remembered = stored !== undefined && stored.row === undefined && single === stored.ticket;
  world.expect(
    11,
    !remembered || settings.negativeTtl === 0 || now - stored.at > settings.negativeTtl,
    say(`for ${JSON.stringify(key)}, which is known to be absent`),
  );
  const closed = settings.closedWorld && expected !== undefined && expected.row === undefined;
  // What is held although it is missing is worth asking for.
  if (!closed || world.cache.has(key)) return;
  const inForce = known.inForce!;
  world.expect(
    11,
    now - inForce.at + inForce.ageMs > world.maxAge || world.cache.inspect(key).quarantined !== undefined,
    say(`for ${JSON.stringify(key)}, which the closed world does not have`),
  );
}

/** While too many answers are "absent", nobody asks for a key of which nothing is held. */
function isWithinLimit(world: World, key: string, say: (why: string) => () => string): void {
  const { known, cache, allowance, now, maxAge } = world;
  const state = known.of(key);
  const { isAllowed, visibleAt } = state;
  state.isAllowed = false;
  // One that is no longer visible may wait in reserve, or in quarantine.
  const isInReserve = visibleAt !== undefined && now - visibleAt <= maxAge;
  // So may one that nobody saw: it was late when it came, or is by now.
  const isLate = (call: Call): boolean => now - confirmedAt(call) > TTL && now - confirmedAt(call) <= maxAge;
  const isUnseen = world.wild.calls.some((each) => each.rows.has(key) && isLate(each) && mayBeSeen(each));
  if (cache.has(key) || isInReserve || isUnseen || cache.inspect(key).quarantined !== undefined) return;
  if (!allowance.mayAsk(now)) world.exercised(11);
  world.expect(11, isAllowed || allowance.mayAsk(now), say(`for ${JSON.stringify(key)} after too many absent answers`));
}

/** The whole answer was handed over, or it failed: core hears of it when this returns. */
export function ended(world: World, call: Call): void {
  world.tell?.(
    `    ${call.ticket}: ${call.method} ${call.state}${call.readCommit === undefined ? '' : `, as of commit ${call.readCommit}`}${call.fault === 'answer' ? '' : ` (${call.fault})`}`,
  );
  call.landedStep = world.step;
  if (call.state === 'late') {
    world.exercised(4);
    return;
  }
  if (call.state === 'failed') {
    if (world.cache.size > 0) world.exercised(5);
    if (call.fault === 'resync') {
      world.breaker.landed();
      world.isOutage = false;
    }
    return;
  }
  for (const key of world.settings.keys) {
    if (!speaksOf(call, key)) continue;
    const { floor, mark } = world.known.of(key);
    // These are the answers that must not be stored.
    if (call.ticket <= floor) world.exercised(2);
    else if (call.ticket < Math.max(mark, world.known.inForce?.ticket ?? 0)) world.exercised(14);
    if (!call.rows.has(key)) world.absent += 1;
    if (!call.rows.has(key) && isForRead(call)) world.allowance.landed();
  }
  world.breaker.landed();
  world.isOutage = false;
  world.known.landed(call, TTL, ({ bad }) => bad && world.hasSchema);
}

/** Core gave it up, or has taken note of its failure. */
export function aborted(world: World, call: Call): void {
  const { reason } = call.signal;
  const { code } = reason as CacheError;
  world.expect(4, CacheError.isInstance(reason), () => `request ${call.ticket} was aborted by ${String(reason)}`);
  if (code === 'stopped') world.breaker.abandoned(call);
  else if (code === 'source-timeout' || call.fault === 'fail' || call.fault === 'half') {
    world.breaker.failed(call, world.tickets);
    world.isOutage = true;
  } else {
    world.breaker.succeeded(world.tickets);
    world.isOutage = false;
  }
  if (code === 'source-timeout') world.exercised(4);
}
