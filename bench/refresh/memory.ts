/** Heap that is really used, and the plain thing to compare with. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type pg from 'pg';

/** Frees what can be freed, and says how much is used. */
export function collector(): () => Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  return async () => {
    for (let time = 0; time < 4; time += 1) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return process.memoryUsage().heapUsed;
  };
}

/** The rows of a table with the key `id`, parsed, frozen and held as plainly as can be. */
export async function plainMap(client: pg.Pool | pg.Client, table: string): Promise<ReadonlyMap<string, unknown>> {
  const map = new Map<string, unknown>();
  const { rows } = await client.query<[string, string]>({
    text: `select id::text, row_to_json(r)::text from ${table} as r`,
    rowMode: 'array',
  });
  for (const [key, text] of rows) map.set(key, freeze(JSON.parse(text)));
  return map;
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}
