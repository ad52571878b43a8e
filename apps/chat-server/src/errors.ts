/**
 * The one error envelope of this server, in OpenAI's shape, and the one table of its codes. Every answer that is not
 * a success is made here; docs/http-errors.md lists the same table and a test compares the two.
 */

/** Code → HTTP status and OpenAI error type. */
export const HTTP_ERRORS = {
  invalid_request: { status: 400, type: 'invalid_request_error' },
  invalid_json: { status: 400, type: 'invalid_request_error' },
  missing_api_key: { status: 401, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  insufficient_scope: { status: 403, type: 'invalid_request_error' },
  route_not_found: { status: 404, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  session_not_found: { status: 404, type: 'invalid_request_error' },
  cache_not_found: { status: 404, type: 'invalid_request_error' },
  request_timeout: { status: 408, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  headers_too_large: { status: 431, type: 'invalid_request_error' },
  agent_misconfigured: { status: 500, type: 'server_error' },
  internal_error: { status: 500, type: 'server_error' },
  model_failed: { status: 502, type: 'server_error' },
  database_unavailable: { status: 503, type: 'server_error' },
  shutting_down: { status: 503, type: 'server_error' },
  model_timeout: { status: 504, type: 'server_error' },
} as const satisfies Record<string, { status: number; type: string }>;

export type HttpErrorCode = keyof typeof HTTP_ERRORS;

/** The body of every answer that is not a success. */
export interface ErrorEnvelope {
  readonly error: {
    /** For people: what was expected and what came. Holds nothing that a stranger should not see. */
    readonly message: string;
    readonly type: string;
    /** The field at fault, as in `messages[0].role`. */
    readonly param: string | null;
    readonly code: HttpErrorCode;
  };
}

/** Seconds after which a caller may try again, for the codes where that helps. */
const RETRY_AFTER: Partial<Record<HttpErrorCode, number>> = {
  rate_limited: 1,
  database_unavailable: 2,
  shutting_down: 2,
};

/** An answer that is not a success. Its message goes to the caller as it is; `cause` goes to the log only. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: HttpErrorCode;
  readonly param: string | null;

  constructor(code: HttpErrorCode, message: string, { param, cause }: { param?: string; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.param = param ?? null;
  }

  get status(): number {
    return HTTP_ERRORS[this.code].status;
  }

  get headers(): Record<string, string> {
    const seconds = RETRY_AFTER[this.code];
    return {
      ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
      ...(this.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    };
  }

  toEnvelope(): ErrorEnvelope {
    return {
      error: { message: this.message, type: HTTP_ERRORS[this.code].type, param: this.param, code: this.code },
    };
  }
}
