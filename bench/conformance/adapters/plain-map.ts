/** What one writes in five minutes, and the kit must find fault with: a Map, a time beside each value, no fence. */
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

function open(source: Source, ttlMs: number): Cache {
  const entries = new Map<string, { readonly value: unknown; readonly at: number }>();
  return {
    read: async (key) => {
      const held = entries.get(key);
      if (held !== undefined && Date.now() - held.at < ttlMs) return held.value;
      const value = await source.one(key);
      entries.set(key, { value, at: Date.now() });
      return value;
    },
    forget: (key) => entries.delete(key),
    forgetAll: () => entries.clear(),
    close: () => undefined,
  };
}

export const contender: Contender = {
  name: 'plain-map',
  package: 'plain-map',
  configuration: 'a Map',
  absent: null,
  open: (source, { ttlMs }) => open(source, ttlMs),
  openPlain: open,
};
