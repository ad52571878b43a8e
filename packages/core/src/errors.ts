/**
 * What can go wrong, as data. Every code has a row in docs/errors.md; a test compares the two.
 */
export const CACHE_ERROR_CODES = [
  'source-failed',
  'source-timeout',
  'breaker-open',
  'rate-limited',
  'invalid-snapshot',
  'not-saved',
  'aborted',
  'stopped',
] as const;

export type CacheErrorCode = (typeof CACHE_ERROR_CODES)[number];

export interface CacheErrorDetails {
  readonly code: CacheErrorCode;
  /** Name of the cache. */
  readonly cache: string;
  /** What was expected and what came. Names no key and no value, but may repeat what the source said. */
  readonly message: string;
  readonly key?: string | undefined;
  readonly cause?: unknown;
  readonly partial?: ReadonlyMap<string, unknown> | undefined;
}

/**
 * The one error of this library. `message` names the cache and repeats what the source said, so it is for the log;
 * `code` is for strangers; `key`, `cause` and `partial` are for code.
 */
export class CacheError extends Error {
  override readonly name = 'CacheError';
  readonly code: CacheErrorCode;
  /** Name of the cache that failed. */
  readonly cache: string;
  /** The key that was asked for, where it was one. */
  readonly key: string | undefined;
  /** `fetchMany` only: what could be answered in spite of the failure. */
  readonly partial: ReadonlyMap<string, unknown> | undefined;

  constructor({ code, cache, message, key, cause, partial }: CacheErrorDetails) {
    super(`cache "${cache}": ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.cache = cache;
    this.key = key;
    this.partial = partial;
  }

  /** For logs and status pages: without key, cause and stack. */
  toJSON(): { name: string; code: CacheErrorCode; cache: string; message: string } {
    const { name, code, cache, message } = this;
    return { name, code, cache, message };
  }

  /** Recognises a CacheError of any copy of this library. Never throws, whatever it is asked about. */
  static isInstance(error: unknown): error is CacheError {
    try {
      return error instanceof Error && error.name === 'CacheError' && 'code' in error && 'cache' in error;
    } catch {
      return false;
    }
  }
}
