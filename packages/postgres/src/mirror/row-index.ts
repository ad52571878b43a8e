/** Which rows have a value: the keys of the rows of one table, by the text of one property, in the order of the keys. */

interface Bucket {
  readonly keys: string[];
  isSorted: boolean;
}

const NONE: readonly string[] = [];

export class RowIndex {
  readonly property: string;
  /** A row that is alone with its value, the usual case of a unique one, has no list of its own. */
  readonly #buckets = new Map<string, string | Bucket>();

  constructor(property: string) {
    this.property = property;
  }

  /** The value of a row as text; `undefined`: the row is in no bucket, as NULL equals nothing. */
  valueOf(row: unknown): string | undefined {
    return typeof row === 'object' && row !== null
      ? toKeyText((row as Readonly<Record<string, unknown>>)[this.property])
      : undefined;
  }

  /** The keys of the rows with this value. Do not keep: it changes. */
  keys(value: string): readonly string[] {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) return NONE;
    return typeof bucket === 'string' ? [bucket] : sorted(bucket).keys;
  }

  /** `inBulk`: many come one after the other, so they are put in order when somebody asks. */
  add(value: string, key: string, inBulk: boolean): void {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) {
      this.#buckets.set(value, key);
    } else if (typeof bucket === 'string') {
      this.#buckets.set(value, { keys: bucket < key ? [bucket, key] : [key, bucket], isSorted: true });
    } else if (inBulk || bucket.keys.at(-1)! < key) {
      bucket.isSorted &&= bucket.keys.at(-1)! < key;
      bucket.keys.push(key);
    } else {
      const { keys } = sorted(bucket);
      keys.splice(placeOf(keys, key), 0, key);
    }
  }

  remove(value: string, key: string): void {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) return;
    if (typeof bucket === 'string') {
      if (bucket === key) this.#buckets.delete(value);
      return;
    }
    const { keys } = sorted(bucket);
    const place = placeOf(keys, key);
    if (keys[place] === key) keys.splice(place, 1);
    if (keys.length === 1) this.#buckets.set(value, keys[0]!);
  }
}

/**
 * How a value stands in a key or an index: scalars as their text, several as JSON of their texts; `undefined`: it is no
 * key.
 */
export function toKeyText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? JSON.stringify(value.map((part) => String(part))) : undefined;
}

function sorted(bucket: Bucket): Bucket {
  if (!bucket.isSorted) {
    // By code units, as `<` compares.
    bucket.keys.sort();
    bucket.isSorted = true;
  }
  return bucket;
}

/** Where the key is, or would be. */
function placeOf(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
