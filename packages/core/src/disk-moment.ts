/** When something was true, written so that another process can tell how long ago that was. */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export interface Moment {
  /** Since 1970. Jumps when somebody sets the clock. */
  readonly wallMs: number;
  /** Since the machine was started; time spent suspended counts. Compares only within one boot. */
  readonly uptimeMs: number;
  /** Which boot; `undefined`: the system does not say. */
  readonly boot: string | undefined;
}

/** The moment that is now. */
export function currentMoment(): Moment {
  bootId ??= readBootId();
  return { wallMs: Date.now(), uptimeMs: uptime() * 1_000, boot: bootId || undefined };
}

/** The same, so many milliseconds earlier. */
export function before({ wallMs, uptimeMs, boot }: Moment, ms: number): Moment {
  return { wallMs: wallMs - ms, uptimeMs: uptimeMs - ms, boot };
}

/**
 * Milliseconds from one moment to a later one; `undefined`: nobody can say, because by the clock it lies in the future.
 * Where the machine was not started again in between, two clocks bear witness and the longer time counts: a wall clock
 * that was set back makes nothing younger.
 */
export function msBetween(then: Moment, now: Moment): number | undefined {
  const byWall = now.wallMs - then.wallMs;
  const byUptime = then.boot === undefined || then.boot !== now.boot ? -1 : now.uptimeMs - then.uptimeMs;
  const longer = Math.max(byWall, byUptime);
  return longer >= 0 ? longer : undefined;
}

let bootId: string | undefined;

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
