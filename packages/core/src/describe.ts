/** What came instead of what was expected, for messages. */

/** For what the caller wrote himself, as an option: short values as they are. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value);
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

/** For keys and rows, which are nobody else's business: what kind of thing it is, and no more. */
export function typeName(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}
