/**
 * The arguments of a tool, described by a JSON Schema (2020-12) in its row. The schema itself is checked whenever the
 * row is read, which is cheap; it becomes a validator when the tool is first called, which costs a millisecond or more.
 */
import type { JSONSchema7 } from 'ai';
import { Ajv2020, type Options } from 'ajv/dist/2020.js';

export type ArgsSchema = Readonly<Record<string, unknown>>;

/** The arguments as the tool gets them (defaults filled in), or what is wrong with them. */
export type CheckedArgs = { readonly args: Record<string, unknown> } | { readonly problem: string };

const MAX_SCHEMA_LENGTH = 32_768;
const MAX_PROBLEM_LENGTH = 300;

const options: Options = {
  strictSchema: true, // an unknown keyword is a mistake in the row
  strictTypes: false,
  strictTuples: false,
  validateFormats: false, // 2020-12: `format` describes, it does not assert
  useDefaults: true,
  logger: false,
};

let metaSchema: Ajv2020 | undefined;

/** What is wrong with a schema, in words; empty where nothing is. */
export function checkArgsSchema(schema: ArgsSchema): string[] {
  if (schema.type !== 'object') return ['args_schema: expected the root to be { "type": "object", ... }'];
  const text = JSON.stringify(schema);
  if (text.length > MAX_SCHEMA_LENGTH) {
    return [`args_schema: expected at most ${MAX_SCHEMA_LENGTH} characters, got ${text.length}`];
  }
  metaSchema ??= new Ajv2020(options);
  if (!metaSchema.validateSchema(schema)) return [`args_schema: ${metaSchema.errorsText(metaSchema.errors)}`];
  return findPatterns(schema)
    .filter(isCatastrophic)
    .map((pattern) => {
      return `args_schema: pattern ${JSON.stringify(pattern)} repeats a group, which can take for ever on a hostile text`;
    });
}

/** Compiles a schema and throws it away: to be sure, when a row is written, that a call will find it in order. */
export function tryArgsSchema(schema: ArgsSchema): string[] {
  try {
    new Ajv2020(options).compile(schema);
    return [];
  } catch (error) {
    return [`args_schema: ${error instanceof Error ? error.message : 'cannot be compiled'}`];
  }
}

/**
 * Makes validators for one set of tools. Each set has an Ajv of its own, dropped with the set: a shared one keeps
 * every schema it ever compiled.
 */
export function createArgsChecks(): (schema: ArgsSchema) => (args: unknown) => CheckedArgs {
  let ajv: Ajv2020 | undefined;
  return (schema) => {
    ajv ??= new Ajv2020({ ...options, validateSchema: false });
    const validate = ajv.compile(schema);
    return (args) => {
      if (validate(args)) return { args: args as Record<string, unknown> };
      return { problem: (ajv?.errorsText(validate.errors, { dataVar: 'args' }) ?? '').slice(0, MAX_PROBLEM_LENGTH) };
    };
  };
}

/** The schema as the model is shown it: as it stands in the row. */
export function asModelSchema(schema: ArgsSchema): JSONSchema7 {
  return schema as JSONSchema7;
}

function findPatterns(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(findPatterns);
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => {
    if (key === 'pattern' && typeof value === 'string') return [value];
    if (key === 'patternProperties' && typeof value === 'object' && value !== null) {
      return [...Object.keys(value), ...findPatterns(Object.values(value))];
    }
    return findPatterns(value);
  });
}

/** A group that is repeated, or a back-reference: what exponential matching needs. */
function isCatastrophic(pattern: string): boolean {
  return /\)[*+{]|\\[1-9k]/.test(pattern);
}
