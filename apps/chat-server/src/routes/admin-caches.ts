/** What administrators may see of the caches, and do to them. */
import type { AnyCache, CacheError, CacheStats, CacheStatus, RefreshReport } from 'evercache';
import type { FastifyInstance } from 'fastify';
import { HttpError } from '../errors.ts';
import { redact } from '../redact.ts';

/** The caches by name: `CacheRegistry` fits. */
export interface CacheDirectory extends Iterable<AnyCache> {
  get(name: string): AnyCache | undefined;
}

type Selection = { readonly keys: readonly string[] } | { readonly all: true };

const MOST_KEYS = 10_000;

/** Exactly one of the two. An empty body is a mistake and never means "all". */
const selectionSchema = {
  type: 'object',
  description: 'either { "keys": ["..."] } or { "all": true }',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
  properties: {
    keys: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_KEYS,
      items: { type: 'string' },
      description: `an array of 1 to ${MOST_KEYS} strings`,
    },
    all: { const: true, description: 'true' },
  },
} as const;

export function adminCacheRoutes(app: FastifyInstance, caches: CacheDirectory): void {
  type ByName = { Params: { name: string } };

  const find = (name: string): AnyCache => {
    const cache = caches.get(name);
    if (cache !== undefined) return cache;
    const names = [...caches].map((known) => known.name).join(', ');
    throw new HttpError('cache_not_found', `There is no cache of this name; expected one of ${names}.`);
  };

  app.get('/admin/caches', async () => ({ caches: [...caches].map(describe) }));

  app.get<ByName>('/admin/caches/:name', async ({ params }) => describe(find(params.name)));

  // A wildcard, because any string is a key: also the empty one, and one with slashes.
  app.get<{ Params: { name: string; '*': string }; Querystring: { value?: string } }>(
    '/admin/caches/:name/entries/*',
    async ({ params, query }) => {
      const { value, ...known } = find(params.name).inspect(params['*']);
      return query.value === '1' && value !== undefined ? { ...known, value: redact(value) } : known;
    },
  );

  const act = (action: string, run: (cache: AnyCache, selection: Selection) => Promise<object>): void => {
    app.post<ByName & { Body: Selection }>(
      `/admin/caches/:name/${action}`,
      { schema: { body: selectionSchema } },
      async ({ params, body, log, caller }) => {
        const cache = find(params.name);
        const keys = 'all' in body ? 'all' : body.keys.length;
        log.info({ action, cache: cache.name, keys, by: caller.id }, 'cache action');
        return run(cache, body);
      },
    );
  };

  act('invalidate', async (cache, selection) => {
    await ('all' in selection ? cache.invalidateAll() : cache.invalidate(selection.keys));
    return { invalidated: 'all' in selection ? 'all' : selection.keys.length };
  });
  act('refresh', async (cache, selection) =>
    describeReport(await cache.refresh('all' in selection ? { full: true } : { keys: selection.keys })),
  );
  act('warm', async (cache, selection) =>
    'all' in selection ? describeReport(await cache.refresh({ full: true })) : cache.warm(selection.keys),
  );
}

function describe(cache: AnyCache): { name: string; status: object; stats: CacheStats } {
  const { lastRefresh, ...status }: CacheStatus = cache.status();
  return {
    name: cache.name,
    status: lastRefresh === undefined ? status : { ...status, lastRefresh: describeReport(lastRefresh) },
    stats: cache.stats(),
  };
}

/** Of an error its code and message alone: the cache's name stands above, and its key and cause are nobody's business. */
function describeReport({ error, ...report }: RefreshReport): object {
  return error === undefined ? report : { ...report, error: describeError(error) };
}

function describeError({ code, message }: CacheError): { code: string; message: string } {
  return { code, message };
}
