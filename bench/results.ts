/** The results that runs have saved. */
import { existsSync, readFileSync } from 'node:fs';
import type { Bench, BenchOptions, BenchReport } from './bench.ts';

export interface Result extends BenchReport {
  /** ISO 8601. */
  readonly date: string;
}

/** Under which name such a run is saved, and with which it is compared. */
export function resultNameOf(name: string, bench: Bench, { large }: Pick<BenchOptions, 'large'>): string {
  return large && bench.hasLargeSets ? `${name}-large` : name;
}

/** `undefined`: nobody has saved any. */
export function readResult(name: string): Result | undefined {
  const file = new URL(`./results/${name}.json`, import.meta.url);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result) : undefined;
}
