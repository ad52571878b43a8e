/** Tells a source that keeps what is published what it has to know; waits for it, but not for ever. */
import { CacheError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import { waitWithin } from './patience.ts';
import type { SourceCalls } from './source-calls.ts';

export class Kept {
  readonly #options: Pick<ResolvedOptions<unknown>, 'source' | 'clock' | 'timeout'>;
  readonly #calls: SourceCalls;
  readonly #onError: (error: CacheError) => void;

  constructor(
    options: Pick<ResolvedOptions<unknown>, 'source' | 'clock' | 'timeout'>,
    { calls, onError }: { readonly calls: SourceCalls; readonly onError: (error: CacheError) => void },
  ) {
    this.#options = options;
    this.#calls = calls;
    this.#onError = onError;
  }

  /** To be called in the step in which the keys are forgotten. `undefined`: nothing has to be waited for. */
  invalidated(keys: readonly string[] | undefined): Promise<void> | undefined {
    const { source } = this.#options;
    return source.invalidated && this.#wait((async () => source.invalidated!(keys))(), 'these keys are forgotten');
  }

  /** Never rejects: there is nobody left to do anything about it. */
  async stopped(): Promise<void> {
    const { source } = this.#options;
    if (source.stopped === undefined) return;
    await this.#wait((async () => source.stopped!())(), 'the cache is stopped').catch(this.#onError);
  }

  #wait(promise: Promise<void>, done: string): Promise<void> {
    const error = (cause: unknown): CacheError =>
      this.#calls.error('not-saved', `${done}, but the source could not note it`, { cause });
    const { clock, timeout } = this.#options;
    return waitWithin(promise, clock, {
      timeout,
      onTimeout: () => error(new Error(`it took longer than ${timeout} ms`)),
      onAbort: error,
    }).catch((cause) => {
      throw CacheError.isInstance(cause) ? cause : error(cause);
    });
  }
}
