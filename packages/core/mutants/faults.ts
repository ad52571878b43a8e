/** All faults, by area. */
import type { Fault } from './fault.ts';
import { AGES } from './faults/ages.ts';
import { CHANGES } from './faults/changes.ts';
import { DISK } from './faults/disk.ts';
import { ERRORS } from './faults/errors.ts';
import { FLIGHTS } from './faults/flights.ts';
import { GUARD } from './faults/guard.ts';
import { KEYS } from './faults/keys.ts';
import { LIFE } from './faults/life.ts';
import { ORDER } from './faults/order.ts';
import { ROUNDS } from './faults/rounds.ts';
import { VIEWS } from './faults/views.ts';
import { WAITING } from './faults/waiting.ts';
import { WATCH } from './faults/watch.ts';

export const FAULTS: readonly Fault[] = [
  ...ORDER,
  ...FLIGHTS,
  ...ERRORS,
  ...GUARD,
  ...ROUNDS,
  ...CHANGES,
  ...WATCH,
  ...WAITING,
  ...AGES,
  ...KEYS,
  ...LIFE,
  ...VIEWS,
  ...DISK,
];
