/** What an error says, whatever was thrown: it is told inside another message, and telling it must not throw. */
export function said(error: unknown): string {
  if (typeof error === 'string' && error !== '') return error;
  try {
    if (!(error instanceof Error)) return NOTHING;
    const { message, code, errors } = error as Error & { code?: unknown; errors?: unknown };
    if (typeof message === 'string' && message !== '') return message;
    // A host with several addresses refuses at all of them, and has no message of its own.
    const inner = Array.isArray(errors) ? said(errors[0]) : NOTHING;
    return inner === NOTHING && typeof code === 'string' ? code : inner;
  } catch {
    // A getter that throws, a proxy that was revoked, errors that hold each other.
    return NOTHING;
  }
}

const NOTHING = 'no message';
