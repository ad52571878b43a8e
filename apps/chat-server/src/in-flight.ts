/**
 * Answers under way. Each has a signal that stops its work when the client leaves, or when the server can wait for
 * it no longer.
 */
import type { FastifyReply } from 'fastify';
import type { HttpError } from './errors.ts';

/** The reason of a signal whose client closed the connection before the answer was complete. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft';
}

export class InFlight {
  readonly #answers = new Set<AbortController>();
  #whenIdle: (() => void)[] = [];

  /** How many answers are under way. */
  get size(): number {
    return this.#answers.size;
  }

  /** Registers the answer of `reply`; it counts until its connection closes or all of it has been sent. */
  begin(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    const { raw } = reply;
    const end = (): void => {
      if (!raw.writableFinished) controller.abort(new ClientLeft('the client left'));
      this.#answers.delete(controller);
      if (this.#answers.size === 0) for (const done of this.#whenIdle.splice(0)) done();
    };
    this.#answers.add(controller);
    // The client may have left while its key was checked: then 'close' has been emitted already.
    if (raw.destroyed) end();
    else raw.once('close', end);
    return controller.signal;
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    if (this.#answers.size > 0) await new Promise<void>((done) => this.#whenIdle.push(done));
  }

  /** Stops all work; each answer ends with `reason`. */
  abort(reason: HttpError): void {
    for (const controller of this.#answers) controller.abort(reason);
  }
}
