/** Shows a cached value to an administrator without the secrets in it. Cached values are plain data. */

const SECRET_NAME =
  /secret|token|passw|pwd|api[-_]?key|(?:private|access)[-_]?key|signing|^x-auth|authorization|credential|cookie/i;
/** A number under such a name is a setting: `max_tokens`. */
const COUNT_NAME = /tokens$/i;

export const REDACTED = '[redacted]';

/** A copy in which everything under a name that promises a secret is replaced. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, redactMember(name, member)]));
}

function redactMember(name: string, value: unknown): unknown {
  if (!SECRET_NAME.test(name)) return redact(value);
  return COUNT_NAME.test(name) && typeof value === 'number' ? value : REDACTED;
}

/** Credentials inside URLs (the user, and whatever a query holds) and header values. */
function redactText(text: string): string {
  return text
    .replaceAll(/:\/\/[^/?#\s]+@/g, `://${REDACTED}@`)
    .replaceAll(/(:\/\/[^?#\s"'<>]*)\?[^\s"'<>]*/g, `$1?${REDACTED}`)
    .replaceAll(/\b(Bearer|Basic) +[\w.~+/=-]+/gi, `$1 ${REDACTED}`);
}
