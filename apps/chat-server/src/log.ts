/** Where this server writes what happened. The shape of pino and of Fastify's logger, as far as it is used here. */
export interface Log {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** For callers that do not care. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
