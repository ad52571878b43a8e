/**
 * The bell of one database: any number of watches over one connection, which is made for the first of them and ended
 * with the last. When it dies every watch on it is told; the first that comes back makes the next one.
 */
import type { WatchContext } from 'evercache';
import { PostgresError } from '../errors.ts';
import { abortable } from '../waiting.ts';
import { Line, PUSH_TIMES, type PushTimes } from './line.ts';
import type { Way } from './way.ts';

interface Watch {
  readonly nudge: () => void;
  readonly lost: (error: unknown) => void;
  stands: boolean;
}

/** A connection and who is on it. */
interface Connected {
  readonly line: Line;
  readonly watches: Set<Watch>;
  stands: boolean;
}

export class Bell {
  readonly #way: Way;
  readonly #times: PushTimes;
  #connected: Connected | undefined;
  #rings = 0;
  #warning: string | undefined;

  constructor(way: Way, times: PushTimes = PUSH_TIMES) {
    this.#way = way;
    this.#times = times;
  }

  /** As a source's `watch`. */
  async watch(nudge: () => void, { signal, lost }: WatchContext): Promise<() => Promise<void>> {
    signal.throwIfAborted();
    const connected = this.#connected ?? this.#connect();
    const watch: Watch = { nudge, lost, stands: false };
    connected.watches.add(watch);
    try {
      await abortable(connected.line.stands, signal);
      // It has died since it stood, when this watch was not yet one to be told.
      if (this.#connected !== connected) throw new PostgresError({ message: this.#warning ?? '', reachable: false });
    } catch (error) {
      await this.#leave(connected, watch);
      throw error;
    }
    watch.stands = true;
    return () => this.#leave(connected, watch);
  }

  status(): Record<string, unknown> {
    const { line, stands = false } = this.#connected ?? {};
    return {
      mode: 'leader',
      state: stands ? (line?.leads ? 'leading' : 'listening') : 'off',
      rings: this.#rings,
      ...(this.#warning === undefined ? {} : { warning: this.#warning }),
    };
  }

  #connect(): Connected {
    const line = new Line({
      way: this.#way,
      times: this.#times,
      onRing: () => this.#ring(connected),
      onLost: (error) => this.#lose(connected, error),
    });
    const connected: Connected = { line, watches: new Set(), stands: false };
    this.#connected = connected;
    line.stands.then(
      () => {
        connected.stands = true;
        this.#warning = undefined;
      },
      (error: PostgresError) => this.#lose(connected, error),
    );
    return connected;
  }

  #ring({ watches }: Connected): void {
    this.#rings += 1;
    for (const { nudge } of watches) nudge();
  }

  #lose(connected: Connected, error: PostgresError): void {
    // One that was ended because nobody was on it any more is no loss.
    if (this.#connected !== connected) return;
    this.#connected = undefined;
    this.#warning = error.message;
    for (const { stands, lost } of connected.watches) if (stands) lost(error);
  }

  async #leave(connected: Connected, watch: Watch): Promise<void> {
    connected.watches.delete(watch);
    if (connected.watches.size > 0) return;
    if (this.#connected === connected) this.#connected = undefined;
    await connected.line.close();
  }
}
