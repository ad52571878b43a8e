/** Which mirrors are kept, over which client, and where they read. */
import { type Opened, openPg, openPostgresJs } from '../paths.ts';
import { byColumn } from './by-column.ts';
import { byKey } from './by-key.ts';
import { byLookUp } from './by-look-up.ts';
import type { MirrorKind } from './kind.ts';
import { rung } from './rung.ts';
import { scannedTables, tables } from './tables.ts';
import { whole } from './whole.ts';

/** `pooler`: the primary, through pgbouncer in transaction pooling. */
export type Place = 'primary' | 'pooler' | 'standby';

export interface MirrorPlan {
  readonly kind: MirrorKind;
  readonly place: Place;
  readonly client: string;
  open(url: string): Opened;
  /** Between two refreshes. */
  readonly pauseMs: readonly [least: number, most: number];
  /** Also in a run that has a few seconds only. */
  readonly inShort?: boolean;
}

const PG = { client: 'pg', open: openPg };
const POSTGRES_JS = { client: 'postgres.js', open: openPostgresJs };
/** As the manual of pgbouncer wants it for the versions that know no prepared statements. */
const UNPREPARED = { client: 'postgres.js', open: (url: string) => openPostgresJs(url, { prepare: false }) };

const BUSY = { pauseMs: [5, 60] } as const;
/** Long enough for much to be pruned and piled up meanwhile. */
const SLEEPY = { pauseMs: [500, 4000] } as const;

/** What changes meanwhile comes by push, where there is any. */
const SELDOM = { pauseMs: [3000, 6000] } as const;

export const MIRRORS: readonly MirrorPlan[] = [
  { kind: byKey, place: 'primary', ...PG, ...BUSY, inShort: true },
  { kind: byColumn, place: 'primary', ...POSTGRES_JS, ...BUSY, inShort: true },
  { kind: byLookUp, place: 'primary', ...PG, ...SLEEPY },
  { kind: whole, place: 'primary', ...PG, pauseMs: [100, 300], inShort: true },
  { kind: byLookUp, place: 'pooler', ...PG, ...BUSY },
  { kind: byKey, place: 'pooler', ...UNPREPARED, ...BUSY },
  { kind: tables, place: 'primary', ...PG, ...BUSY, inShort: true },
  { kind: tables, place: 'pooler', ...UNPREPARED, ...BUSY },
  { kind: tables, place: 'standby', ...POSTGRES_JS, ...SLEEPY },
  { kind: scannedTables, place: 'primary', ...PG, ...BUSY, inShort: true },
  { kind: scannedTables, place: 'primary', ...POSTGRES_JS, ...SLEEPY },
  { kind: scannedTables, place: 'pooler', ...PG, ...BUSY },
  { kind: scannedTables, place: 'standby', ...PG, ...BUSY, inShort: true },
  { kind: rung, place: 'primary', ...PG, ...SELDOM },
  { kind: rung, place: 'pooler', ...UNPREPARED, ...SELDOM },
  { kind: byColumn, place: 'standby', ...PG, ...BUSY },
  { kind: byLookUp, place: 'standby', ...POSTGRES_JS, ...BUSY, inShort: true },
  { kind: whole, place: 'standby', ...PG, pauseMs: [100, 300] },
];
