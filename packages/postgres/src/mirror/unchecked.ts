/** A row on its way to the schema of its table: the cache underneath has one schema for all of them. */
import type { StandardSchema } from 'evercache';

export class Unchecked {
  readonly schema: StandardSchema<unknown>;
  readonly row: unknown;

  constructor(schema: StandardSchema<unknown>, row: unknown) {
    this.schema = schema;
    this.row = row;
  }
}

/** Sends each row to its own schema. */
export const schemaOfEach: StandardSchema<unknown> = {
  '~standard': {
    version: 1,
    vendor: 'evercache',
    validate: (value) => (value instanceof Unchecked ? value.schema['~standard'].validate(value.row) : { value }),
  },
};
