/** A database that can be taken away and given back, and that counts what it is asked. */
import type { Database } from '../../src/database.ts';

export class FlakyDatabase {
  /** While true, whatever is asked fails as if the server were gone. */
  down = false;
  /** How often it was asked. */
  calls = 0;
  readonly database: Database;

  constructor(real: Database) {
    const client = this.#wrap(real.client);
    this.database = { ...this.#wrap(real), kind: real.kind, client };
  }

  #wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      ownKeys: (object) => Reflect.ownKeys(object),
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== 'function') return value;
        return (...parameters: unknown[]): unknown => {
          this.calls += 1;
          if (this.down) {
            const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
            const callback = parameters.at(-1);
            if (name === 'connect' && typeof callback === 'function') return callback(error);
            return Promise.reject(error);
          }
          return Reflect.apply(value, object, parameters);
        };
      },
    });
  }
}
