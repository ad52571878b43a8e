/** What the database's catalog says about types that are not in the table of column-types.ts. */
import { isKnownType } from './column-types.ts';
import type { Lease } from './database.ts';

/** A type down to what decides how it is written. */
export interface ResolvedType {
  /** The type itself, or of the elements if it is an array; a domain is its base type. */
  readonly type: number;
  readonly isArray: boolean;
  /** Why it cannot be written the same in every session. */
  readonly refused?: string;
}

interface CatalogEntry {
  readonly kind: string;
  /** Type of the elements; 0: no array. */
  readonly element: number;
  /** Base type of a domain; 0: no domain. */
  readonly base: number;
  readonly name: string;
}

const CATALOG_QUERY = `select oid::text, typtype::text, (case when typcategory = 'A' then typelem else 0 end)::text,
  typbasetype::text, format_type(oid, null)
from pg_catalog.pg_type where oid = any($1::text::oid[])`;

const REFUSED_KINDS: Readonly<Record<string, string>> = {
  c: 'a composite type',
  p: 'a record',
  r: 'a range over a type with several ways of writing',
  m: 'a multirange',
};

/** Remembers the types it has looked up; a type keeps its object id for life. */
export class TypeCatalog {
  readonly #entries = new Map<number, CatalogEntry>();

  async resolve(types: readonly number[], lease: Lease): Promise<ResolvedType[]> {
    for (;;) {
      const missing = [...new Set(types.flatMap((type) => this.#unknownIn(type)))];
      if (missing.length === 0) return types.map((type) => this.#resolved(type));
      const { rows } = await lease.run({ text: CATALOG_QUERY, values: [`{${missing.join(',')}}`] });
      for (const [oid, kind, element, base, name] of rows) {
        this.#entries.set(Number(oid), { kind: kind!, element: Number(element), base: Number(base), name: name! });
      }
      for (const type of missing) {
        // Dropped a moment ago: the statement that uses it will fail and say so.
        if (!this.#entries.has(type)) this.#entries.set(type, { kind: 'b', element: 0, base: 0, name: '' });
      }
    }
  }

  /** The type that has to be looked up before this one is understood: itself, its base or its elements. */
  #unknownIn(type: number): number[] {
    if (isKnownType(type)) return [];
    const entry = this.#entries.get(type);
    if (entry === undefined) return [type];
    const next = entry.base || entry.element;
    return next === 0 ? [] : this.#unknownIn(next);
  }

  #resolved(type: number): ResolvedType {
    const entry = isKnownType(type) ? undefined : this.#entries.get(type);
    if (entry === undefined) return { type, isArray: false };
    if (entry.base !== 0) return this.#resolved(entry.base);
    if (entry.element !== 0) return { ...this.#resolved(entry.element), isArray: true };
    const refused = REFUSED_KINDS[entry.kind];
    return refused === undefined
      ? { type, isArray: false }
      : { type, isArray: false, refused: `${refused} (${entry.name})` };
  }
}
