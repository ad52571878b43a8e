/** Clients that ask the same stateless question every 10 ms, each with a key of its own, and remember what went wrong. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Question {
  readonly model: string;
  readonly content: string;
  /** Part of every right answer. */
  readonly expected: string;
}

const PAUSE_MS = 10;

export class AskingClients {
  /** Questions answered so far. */
  answers = 0;
  /** Answers that were not right: status and body. */
  readonly failures: string[] = [];
  /** Longest wait for an answer, in milliseconds. */
  slowestMs = 0;
  /** Longest wait for a server that has nothing to do: what the machine, and this process, add by themselves. */
  slowestIdleMs = 0;
  #asking = true;
  readonly #address: string;
  readonly #idleAddress: string;
  readonly #loops: Promise<void>[];

  /** `idleAddress` is of a server in a process of its own, so that what ours blocks by itself is not excused. */
  constructor(address: string, idleAddress: string, keys: readonly string[], question: Question) {
    this.#address = address;
    this.#idleAddress = idleAddress;
    const loops = keys.map((key) =>
      this.#repeat(async () => {
        const tookMs = await this.#ask(key, question);
        this.slowestMs = Math.max(this.slowestMs, tookMs);
        return tookMs;
      }),
    );
    const probe = this.#repeat(async () => {
      const tookMs = await this.#probe();
      this.slowestIdleMs = Math.max(this.slowestIdleMs, tookMs);
      return tookMs;
    });
    this.#loops = [...loops, probe];
  }

  /** Ends when every client has its last answer. */
  async stop(): Promise<void> {
    this.#asking = false;
    await Promise.all(this.#loops);
  }

  async #repeat(work: () => Promise<number>): Promise<void> {
    while (this.#asking) await sleep(Math.max(0, PAUSE_MS - (await work())));
  }

  async #probe(): Promise<number> {
    const started = performance.now();
    await (await fetch(this.#idleAddress)).text();
    return performance.now() - started;
  }

  async #ask(key: string, { model, content, expected }: Question): Promise<number> {
    const started = performance.now();
    try {
      const answer = await fetch(`${this.#address}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model, messages: [{ role: 'user', content }] }),
      });
      const body = await answer.text();
      if (answer.status !== 200 || !body.includes(expected)) this.failures.push(`${answer.status} ${body}`);
    } catch (error) {
      this.failures.push(String(error));
    }
    this.answers += 1;
    return performance.now() - started;
  }
}
