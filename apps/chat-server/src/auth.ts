/**
 * Who is calling, and what may they do? Bearer API keys, known to this server by their hash only. A key that is in
 * memory costs no database statement and keeps working while the database is away.
 */
import { timingSafeEqual } from 'node:crypto';
import type { TTLCacheService } from 'evercache';
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { ApiKeyRecord } from './agents/rows.ts';
import { hashApiKey } from './api-keys.ts';
import { HttpError } from './errors.ts';

/** What a key may be used for. `chat`: agents; `admin`: the caches. */
export type Scope = 'chat' | 'admin';

export interface Caller {
  /** Of the key, not the key. */
  readonly id: string;
  readonly userId: string;
  readonly scopes: readonly string[];
}

export interface KeyRing {
  /** By hash of the key. */
  readonly apiKeys: Pick<TTLCacheService<ApiKeyRecord>, 'fetch'>;
  /** The administrator's key, which works without a database. */
  readonly adminKey: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the hook of `requireScope`. */
    caller: Caller;
  }
}

const ADMINISTRATOR: Caller = Object.freeze({
  id: 'ADMIN_API_KEY',
  userId: 'administrator',
  scopes: Object.freeze(['admin']),
});

/**
 * Lets only callers with `scope` reach the routes of `app`. Runs before the body is read.
 *
 * @throws HttpError 401 for a missing, unknown or expired key, 403 for one without the scope; what the cache throws
 * where nobody can say, so that an outage is never taken for a wrong key.
 */
export function requireScope(app: FastifyInstance, scope: Scope, { apiKeys, adminKey }: KeyRing): void {
  const adminHash = Buffer.from(hashApiKey(adminKey));
  const hook: onRequestAsyncHookHandler = async (request) => {
    const keyHash = hashApiKey(presentedKey(request));
    const isAdministrator = timingSafeEqual(Buffer.from(keyHash), adminHash);
    const caller = isAdministrator ? ADMINISTRATOR : await identify(keyHash, apiKeys);
    if (!caller.scopes.includes(scope)) {
      throw new HttpError('insufficient_scope', `This key does not have the scope "${scope}".`);
    }
    request.caller = caller;
  };
  app.addHook('onRequest', hook);
}

function presentedKey({ headers }: FastifyRequest): string {
  const { authorization } = headers;
  if (authorization === undefined) {
    throw new HttpError('missing_api_key', 'No API key was given; expected the header "Authorization: Bearer <key>".');
  }
  const key = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  if (key === undefined) throw incorrectKey();
  return key;
}

async function identify(keyHash: string, apiKeys: KeyRing['apiKeys']): Promise<Caller> {
  const record = await apiKeys.fetch(keyHash);
  if (record === undefined || (record.expiresAt !== null && record.expiresAt <= Date.now())) throw incorrectKey();
  return record;
}

/** One answer for unknown, revoked and expired keys: strangers learn nothing. */
function incorrectKey(): HttpError {
  return new HttpError('invalid_api_key', 'The API key is not valid.');
}
