/** The results that runs have saved. */
import { existsSync, readFileSync } from 'node:fs';
import type { BenchReport } from './bench.ts';

export interface Result extends BenchReport {
  /** ISO 8601. */
  readonly date: string;
}

/** `undefined`: nobody has saved any. */
export function readResult(bench: string): Result | undefined {
  const file = new URL(`./results/${bench}.json`, import.meta.url);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result) : undefined;
}
