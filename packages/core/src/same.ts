/** Identity is version: an equal value is the same object. */
import { isEqual } from './equal.ts';

/** What was held where it is equal: perhaps stored since the new value was prepared. */
export function sameOf<T>(value: T, held: T | undefined): T {
  if (held === undefined || held === value) return value;
  try {
    return isEqual(held, value) ? held : value;
  } catch {
    // Nested too deep to be compared: it counts as changed.
    return value;
  }
}
