/**
 * Turns what the JSON schema validator found into one clear sentence: where, what was expected, what came. A schema
 * may say itself what it expects in its `description`. Values are never repeated: they may be secrets.
 */
import type { FastifySchemaValidationError } from 'fastify';
import { HttpError } from './errors.ts';

/** With ajv's `verbose` option an error also carries the schema and the data. */
type VerboseError = FastifySchemaValidationError & {
  readonly parentSchema?: {
    readonly description?: string;
    readonly properties?: Record<string, { description?: string }>;
  };
  readonly data?: unknown;
};

/** For Fastify's `schemaErrorFormatter`. */
export function describeSchemaError(errors: readonly FastifySchemaValidationError[], part: string): HttpError {
  const error = errors[0] as VerboseError;
  const { keyword, params, parentSchema } = error;
  const path = toPath(error.instancePath);
  if (keyword === 'additionalProperties') {
    const known = Object.keys(parentSchema?.properties ?? {}).join(', ');
    const came = JSON.stringify(String(params.additionalProperty).slice(0, 100));
    return refuse(path, `expected no fields but ${known}, got ${came}`, part);
  }
  if (keyword === 'required') {
    const name = String(params.missingProperty);
    const expected = parentSchema?.properties?.[name]?.description ?? 'a value';
    return refuse(path === '' ? name : `${path}.${name}`, `expected ${expected}, got nothing`, part);
  }
  return refuse(path, `expected ${expectation(error)}, got ${describeValue(error.data)}`, part);
}

function refuse(path: string, problem: string, part: string): HttpError {
  return new HttpError(
    'invalid_request',
    `${path === '' ? part : path}: ${problem}`,
    path === '' ? {} : { param: path },
  );
}

function expectation({ keyword, params, parentSchema, message }: VerboseError): string {
  if (parentSchema?.description !== undefined) return parentSchema.description;
  if (keyword === 'enum') return `one of ${(params.allowedValues as unknown[]).join(', ')}`;
  return (message ?? 'something else').replace(/^must be /, '');
}

/** Names the kind of a value without showing it. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return value === null ? 'null' : 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (typeof value === 'object') return `an object with ${Object.keys(value).length} fields`;
  return `a ${typeof value}`;
}

/** JSON pointer to the notation people read: `/messages/0/role` → `messages[0].role`. */
function toPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}
