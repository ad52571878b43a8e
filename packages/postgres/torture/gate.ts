/** Lets the writers through, or keeps them while a history ends. */
export class Gate {
  #opened: PromiseWithResolvers<void> | undefined;

  get isOpen(): boolean {
    return this.#opened === undefined;
  }

  close(): void {
    this.#opened ??= Promise.withResolvers();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  async pass(): Promise<void> {
    while (this.#opened !== undefined) await this.#opened.promise;
  }
}
