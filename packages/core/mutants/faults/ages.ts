/** Time: no entry looks younger than it is, and no timer is in the way. */
import type { Fault } from '../fault.ts';

const EXACTLY = {
  file: 'ageing.test.ts',
  title: 'is fresh up to ttl, stale up to ttl + staleIfError, then gone: exactly',
};
const AWAITED = {
  file: 'deadlines.test.ts',
  title: 'by what somebody awaits, and by nothing in the background (*)',
};

export const AGES: readonly Fault[] = [
  {
    name: 'the age of a single answer counts from the answer',
    promise: 10,
    file: 'key-reader.ts',
    find: 'const confirmedAt = sent.at - ageMs;',
    replace: 'const confirmedAt = now() - ageMs;',
    caughtBy: { file: 'ageing.test.ts', title: 'ages from the moment before its request was sent' },
  },
  {
    name: 'the age of a set counts from the answer',
    promise: 10,
    file: 'whole-round.ts',
    find: 'confirmedAt: sent.at - staged.ageMs',
    replace: 'confirmedAt: now() - staged.ageMs',
    caughtBy: {
      file: 'ageing.test.ts',
      title: 'ages from the moment before the request was sent, not from the answer',
    },
  },
  {
    name: 'a set is stale a moment too early',
    promise: 10,
    file: 'base-age.ts',
    find: "age <= this.#ttl ? 'fresh'",
    replace: "age < this.#ttl ? 'fresh'",
    caughtBy: { file: 'survivors.test.ts', title: 'a set that is just as old as its ttl when it comes is fresh' },
  },
  {
    name: 'a stale set is never gone',
    promise: 10,
    file: 'base-age.ts',
    find: "age <= this.#maxAge ? 'stale' : 'gone'",
    replace: "age <= this.#maxAge ? 'stale' : 'stale'",
    caughtBy: EXACTLY,
  },
  {
    name: 'an entry is never looked at when its ttl is over',
    promise: 10,
    file: 'own-entries.ts',
    find: 'if (now - this.#fresh.first > this.#options.ttl) {',
    replace: 'if (now < 0) {',
    caughtBy: {
      file: 'ageing.test.ts',
      title: 'that has expired is not seen by get while the source is well, and fetch asks again',
    },
  },
  {
    name: 'the alarm stands at the latest moment instead of the earliest',
    promise: 10,
    file: 'alarm.ts',
    find: 'this.#pending.at <= at',
    replace: 'this.#pending.at >= at',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'an entry that falls due before all others is not kept waiting for them',
    },
  },
  {
    name: 'what falls due waits until all late entries are shown or hidden',
    promise: 10,
    file: 'own-entries.ts',
    find: '    this.#ageSome(now);',
    replace: '    if (this.#unsettled === undefined) this.#ageSome(now);',
    caughtBy: {
      file: 'late-entries.test.ts',
      title: 'what falls due meanwhile does not wait: nothing past its ttl is taken for fresh',
    },
  },
  {
    name: 'an entry is late at its ttl, not past it',
    promise: 10,
    file: 'own-entries.ts',
    find: '} else if (age <= this.#options.ttl) {',
    replace: '} else if (age < this.#options.ttl) {',
    caughtBy: { file: 'ageing.test.ts', title: 'that was exactly as slow as ttl is fresh when it lands' },
  },
  {
    name: 'a moment that moves earlier is overlooked',
    promise: 10,
    file: 'keys-by-moment.ts',
    find: 'this.#up(place);\n    this.#down(place);',
    replace: 'this.#down(place);',
    caughtBy: {
      file: 'keys-by-moment.test.ts',
      title: 'follows a moment that moves, earlier and later, and has the key once',
    },
  },
  {
    name: 'what takes the place of a deleted key stays there',
    promise: 10,
    file: 'keys-by-moment.ts',
    find: 'this.#place(lastKey, lastTicks, place);\n      this.#up(place);\n      this.#down(place);',
    replace: 'this.#place(lastKey, lastTicks, place);',
    caughtBy: { file: 'keys-by-moment.test.ts', title: 'agrees with a sorted list over random histories' },
  },
  {
    name: 'an entry that was read again keeps its place among the late ones',
    promise: 10,
    file: 'own-entries.ts',
    find: 'if (this.#fresh.delete(key) || !this.#late.delete(key)) return;',
    replace: 'if (this.#fresh.delete(key)) return;',
    caughtBy: { file: 'memory.test.ts', title: 'takes one place, however often it expired and was read again (*)' },
  },
  {
    name: 'the clock is the wall clock',
    promise: 10,
    file: 'clock.ts',
    find: 'monotonic: () => performance.now()',
    replace: 'monotonic: () => Date.now()',
    caughtBy: {
      file: 'system-clock.test.ts',
      title: 'go forward, agree with setTimeout, and do not follow the wall clock',
    },
  },
  {
    name: 'the time that the machine was suspended does not count',
    promise: 10,
    file: 'clock.ts',
    find: 'this.#suspendedMs += missed;',
    replace: 'this.#suspendedMs += 0 * missed;',
    caughtBy: { file: 'system-clock.test.ts', title: 'makes entries old after a suspend' },
  },
  {
    name: 'a timer of more than 24.8 days fires at the end of its first piece',
    promise: 10,
    file: 'clock.ts',
    find: 'this.#arm(timer);\n      return;',
    replace: '',
    caughtBy: {
      file: 'system-clock.test.ts',
      title: 'runs timers longer than 24.8 days at their time, not at once',
    },
  },
  {
    name: 'every timer keeps the process alive',
    promise: 10,
    file: 'clock.ts',
    find: 'if (!timer.keepAlive) timer.handle.unref();',
    replace: '',
    caughtBy: {
      file: 'system-clock.test.ts',
      title: 'only a timer that somebody awaits keeps the process alive',
    },
  },
  {
    name: 'the deadline of a background call keeps the process alive',
    promise: 10,
    file: 'source-calls.ts',
    find: 'call.timeout,\n        call.awaited,',
    replace: 'call.timeout,\n        true,',
    caughtBy: AWAITED,
  },
  {
    name: 'the deadline of a call that somebody awaits lets the process end',
    promise: 10,
    file: 'source-calls.ts',
    find: 'call.timeout,\n        call.awaited,',
    replace: 'call.timeout,\n        false,',
    caughtBy: AWAITED,
  },
  {
    name: 'an answer slower than ttl is stored',
    promise: 10,
    file: 'key-reader.ts',
    find: 'if (!admitted || now() - confirmedAt > ttl) return',
    replace: 'if (!admitted) return',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'an answer slower than ttl is not served later, as a stale one either (*)',
    },
  },
  {
    name: 'an entry keeps its own age though a later refresh has confirmed it',
    promise: 10,
    file: 'store.ts',
    find: 'this.live = entries;\n    this.#own.clear();',
    replace: 'this.live = entries;',
    caughtBy: {
      file: 'ageing.test.ts',
      title: 'an entry keeps its own age until a refresh sent later confirms it (*)',
    },
  },
  {
    name: 'an absent answer is younger than its request',
    promise: 10,
    file: 'key-reader.ts',
    find: 'store.putAbsent(key, confirmedAt);',
    replace: 'store.putAbsent(key, now());',
    caughtBy: { file: 'negatives.test.ts', title: 'age counts from before the request was sent' },
  },
];
