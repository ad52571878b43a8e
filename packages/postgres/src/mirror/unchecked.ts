/**
 * A row on its way to the schema of its table: the cache underneath has one schema for all of them. All rows are wrapped
 * or none, for a cache with a schema remembers what it has checked, which takes more memory than a small row does; of a
 * wrapping, which nobody keeps, there is nothing to remember.
 */
import type { StandardSchema } from 'evercache';

export class Unchecked {
  readonly schema: StandardSchema<unknown> | undefined;
  readonly row: unknown;

  constructor(schema: StandardSchema<unknown> | undefined, row: unknown) {
    this.schema = schema;
    this.row = row;
  }
}

/** Sends each row to its own schema. */
export const schemaOfEach: StandardSchema<unknown> = {
  '~standard': {
    version: 1,
    vendor: 'evercache',
    validate: (value) => {
      if (!(value instanceof Unchecked)) return { value };
      const { schema, row } = value;
      return schema === undefined ? { value: row } : schema['~standard'].validate(row);
    },
  },
};
