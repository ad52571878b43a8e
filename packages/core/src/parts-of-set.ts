/** A set that stands for several: the guard judges each part of it as a set of its own. */
import type { Part } from './held.ts';
import type { Source } from './source.ts';

/** What a round is about to do to the set as a whole. */
interface Removal extends Omit<Part, 'name'> {
  readonly added: readonly string[];
}

/** The parts that keys are missing of; the whole set where the source knows no parts. */
export function partsOf(source: Source<unknown>, { missing, added, size, emptied }: Removal): readonly Part[] {
  if (source.partOf === undefined || missing.length === 0) return [{ name: '', missing, size, emptied }];
  const parts = new Map<string, { name: string; missing: string[]; size: number; added: number }>();
  for (const key of missing) {
    const { name, size } = source.partOf(key);
    const part = parts.get(name) ?? { name, missing: [], size, added: 0 };
    parts.set(name, part);
    part.missing.push(key);
  }
  for (const key of added) {
    const part = parts.get(source.partOf(key).name);
    if (part !== undefined) part.added += 1;
  }
  return [...parts.values()].map((part) => ({
    ...part,
    emptied: part.added === 0 && part.missing.length >= part.size,
  }));
}
