/** What an option was given, as a message may say it. */
export function describe(value: unknown): string {
  // Given in the place of a client, it holds a password.
  if (typeof value === 'string' && value.includes('://')) return 'a URL';
  if (typeof value === 'string') return JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value);
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
