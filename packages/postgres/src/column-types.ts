/**
 * How each type of PostgreSQL becomes JSON: SQL around the column, so that the database writes the text, the same for
 * every client and whatever the session's settings. The table in the README says the same in words.
 */

/** A setting that changes nothing but how values are written, so the statement may set it for itself. */
export type OutputSetting = 'extra_float_digits' | 'IntervalStyle';

/** What each is set to: floats with all their digits, intervals as ISO 8601. */
export const OUTPUT_SETTINGS: Readonly<Record<OutputSetting, string>> = {
  extra_float_digits: '3',
  IntervalStyle: 'iso_8601',
};

export interface Rendering {
  /** SQL that makes a JSON-ready value of a column. */
  readonly sql: (column: string) => string;
  readonly setting?: OutputSetting | undefined;
}

interface TypeRendering {
  readonly one: (value: string) => string;
  readonly array: (values: string) => string;
  readonly setting?: OutputSetting;
}

/** Each element for itself. Arrays of several dimensions become flat. */
const eachElement = (one: (value: string) => string) => (values: string) =>
  `case when ${values} is null then null else array(select ${one('e.element')} ` +
  `from unnest(${values}) with ordinality as e(element, place) order by e.place) end`;

const asItIs = (value: string): string => value;
const isoText = (value: string): string => `(to_json(${value}) #>> '{}')`;
const utcText = (value: string): string =>
  `(${isoText(`${value} at time zone 'UTC'`)} || case when isfinite(${value}) then 'Z' else '' end)`;
const base64 = (value: string): string => `translate(encode(${value}, 'base64'), chr(10), '')`;

/** JSON has it, or its only text is the same in every session. */
const PLAIN: TypeRendering = { one: asItIs, array: asItIs };
/** A JSON number could not hold all its digits. */
const NUMBER_TEXT: TypeRendering = { one: (value) => `${value}::text`, array: (values) => `${values}::text[]` };

const RENDERINGS: ReadonlyMap<number, TypeRendering> = new Map([
  [16, PLAIN], // bool
  [17, { one: base64, array: eachElement(base64) }], // bytea
  [20, NUMBER_TEXT], // int8
  [21, PLAIN], // int2
  [23, PLAIN], // int4
  [25, PLAIN], // text
  [26, PLAIN], // oid
  [114, PLAIN], // json
  [700, { ...PLAIN, setting: 'extra_float_digits' }], // float4
  [701, { ...PLAIN, setting: 'extra_float_digits' }], // float8
  [790, { one: (value) => `${value}::numeric::text`, array: (values) => `${values}::numeric[]::text[]` }], // money
  [1042, PLAIN], // bpchar
  [1043, PLAIN], // varchar
  [1082, { one: isoText, array: asItIs }], // date
  [1114, { one: isoText, array: asItIs }], // timestamp
  [1184, { one: utcText, array: eachElement(utcText) }], // timestamptz
  [1186, { one: (value) => `${value}::text`, array: asItIs, setting: 'IntervalStyle' }], // interval
  [1700, NUMBER_TEXT], // numeric
  [2950, PLAIN], // uuid
  [3802, PLAIN], // jsonb
  [3904, PLAIN], // int4range
  [3906, PLAIN], // numrange
  [3926, PLAIN], // int8range
]);

/** Whether the table above speaks of the type. */
export function isKnownType(type: number): boolean {
  return RENDERINGS.has(type);
}

/** The rendering of a type, or of an array of it. Types not in the table are written as `to_json` writes them. */
export function renderingOf(type: number, isArray: boolean): Rendering {
  const { one, array, setting } = RENDERINGS.get(type) ?? PLAIN;
  return { sql: isArray ? array : one, setting };
}

/** How keys are compared with a column of some type. */
export interface KeyComparison {
  /** The type whose `=` is used, so that the planner may use an index. */
  readonly cast: string;
  /** Whether the text is that type's own way of writing; any other text is no key of the column. */
  readonly accepts: (key: string) => boolean;
  /** SQL of the same: the text as a value of that type, null where it is no key of the column. */
  readonly sqlOf: (text: string) => string;
}

function integer(cast: string, bits: number): KeyComparison {
  const limit = 2n ** BigInt(bits - 1);
  return {
    cast,
    accepts: (key) => /^(?:0|-?[1-9]\d{0,18})$/.test(key) && BigInt.asIntN(bits, BigInt(key)) === BigInt(key),
    sqlOf: (text) =>
      `case when ${text} ~ '^(0|-?[1-9][0-9]{0,18})$' then ` +
      `case when ${text}::numeric between -${limit} and ${limit - 1n} then ${text}::${cast} end end`,
  };
}

const anyText = (cast: string): KeyComparison => ({
  cast,
  accepts: () => true,
  sqlOf: (text) => `${text}::${cast}`,
});

const KEY_COMPARISONS: ReadonlyMap<number, KeyComparison> = new Map([
  [20, integer('int8', 64)],
  [21, integer('int2', 16)],
  [23, integer('int4', 32)],
  [25, anyText('text')],
  [1042, anyText('bpchar')],
  [1043, anyText('text')], // varchar has no operators of its own
  [
    1700,
    {
      cast: 'numeric',
      accepts: (key) => /^-?\d{1,500}(?:\.\d{1,500})?$/.test(key),
      sqlOf: (text) =>
        `case when ${text} ~ '^-?[0-9]+([.][0-9]+)?$' and length(${text}) <= 1002 then ${text}::numeric end`,
    },
  ],
  [
    2950,
    {
      cast: 'uuid',
      accepts: (key) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(key),
      sqlOf: (text) => `case when ${text} ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then ${text}::uuid end`,
    },
  ],
]);

/** `undefined`: keys of this type are compared by their text, which no ordinary index helps with. */
export function keyComparisonOf(type: number): KeyComparison | undefined {
  return KEY_COMPARISONS.get(type);
}
