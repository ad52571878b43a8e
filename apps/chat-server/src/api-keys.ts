/** API keys: made here, shown once, kept as a hash. They are looked up by that hash, so how much of a guess was right cannot be timed. */
import { hash, randomBytes } from 'node:crypto';
import type { Queryable } from './database.ts';

export interface NewApiKey {
  readonly userId: string;
  /** What the key may be used for: `chat`, `admin`. */
  readonly scopes: readonly string[];
  /** For people, to tell keys apart. */
  readonly name?: string | undefined;
  readonly expiresAt?: Date | undefined;
}

const PREFIX_LENGTH = 10;

/** A new key: `ek_` and 256 random bits. */
export function makeApiKey(): string {
  return `ek_${randomBytes(32).toString('base64url')}`;
}

/** What is kept of a key. 256 random bits need no salt and no slow hash. */
export function hashApiKey(key: string): string {
  return hash('sha256', key, 'hex');
}

/** Makes a key and stores its hash. The answer is the only copy of the key there will ever be. */
export async function createApiKey(database: Queryable, options: NewApiKey): Promise<string> {
  const { userId, scopes, name = '', expiresAt = null } = options;
  const key = makeApiKey();
  await database.query(
    `insert into api_keys (key_hash, prefix, name, user_id, scopes, expires_at)
     values ($1, $2, $3, $4, $5::text[], $6)`,
    [hashApiKey(key), key.slice(0, PREFIX_LENGTH), name, userId, scopes, expiresAt],
  );
  return key;
}

/** Takes a key back. Servers notice at the next refresh of their cache of keys. Answers whether there was one. */
export async function revokeApiKey(database: Queryable, id: string): Promise<boolean> {
  const rows = await database.query(
    'update api_keys set revoked_at = now() where id::text = $1 and revoked_at is null returning id',
    [id],
  );
  return rows.length > 0;
}
