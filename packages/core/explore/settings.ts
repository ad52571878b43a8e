/** What a history is played on: the shape of the source, the options of the cache, the keys. */
import fc from 'fast-check';

export type Method = 'fetchAll' | 'fetchOne' | 'fetchMany' | 'fetchChanges';

export interface Settings {
  readonly methods: readonly Method[];
  readonly watch: boolean;
  /** It can hardly ever say what has changed, and everything has to be read. */
  readonly resyncs: boolean;
  readonly keys: readonly string[];
  /**
   * - `numbered`: every answer carries the number of its request, so no two are equal
   * - `plain`: a new object each time, equal while the row is unchanged
   * - `same`: the same object while the row is unchanged
   */
  readonly values: 'numbered' | 'plain' | 'same';
  /** How a bulk answer comes. */
  readonly bulk: 'array' | 'stream';
  readonly startsFirst: boolean;
  /** `async`: it says what it thinks of each row at a turn of its own. */
  readonly schema: 'none' | 'sync' | 'async';
  readonly freeze: boolean;
  readonly closedWorld: boolean;
  readonly bounded: boolean;
  readonly negativeTtl: number;
  readonly staleIfError: number;
  readonly softTimeout: number;
  readonly timeout: number;
  readonly maxAbsentPerSecond: number;
  /** Where each key is a call of its own: so many at a time for a read of several. */
  readonly singleCalls: number;
  readonly guard: { readonly maxRemovedShare: number; readonly minRows: number; readonly acceptAfter: number };
  /** What the clock's chance always is. */
  readonly chance: number;
}

export const TTL = 2_000;
export const REFRESH_INTERVAL = 700;
/** Absent answers a second, where they are few. */
export const SCARCE = 0.3;
export const REFRESH_TIMEOUT = 600;

const SHAPES: readonly (readonly Method[])[] = [
  ['fetchAll'],
  ['fetchAll', 'fetchOne'],
  ['fetchAll', 'fetchMany'],
  ['fetchAll', 'fetchOne', 'fetchMany'],
  ['fetchOne'],
  ['fetchMany'],
  ['fetchAll', 'fetchChanges'],
  ['fetchAll', 'fetchChanges', 'fetchOne'],
  ['fetchAll', 'fetchChanges', 'fetchMany'],
  // Twice: here there may be too little room.
  ['fetchOne'],
  ['fetchMany'],
  // And here most can go wrong.
  ['fetchAll', 'fetchChanges', 'fetchOne'],
  ['fetchAll', 'fetchChanges', 'fetchMany'],
];

const NAMES = ['a', 'b', 'c', 'd', 'e'];
export const ODD_NAMES: readonly string[] = ['__proto__', '', 'constructor', 'toString', 'a'];

const keys: fc.Arbitrary<readonly string[]> = fc
  .tuple(fc.integer({ min: 2, max: 5 }), fc.constantFrom(NAMES, ODD_NAMES))
  .map(([count, names]) => names.slice(0, count));

export const settings: fc.Arbitrary<Settings> = fc
  .record({
    methods: fc.constantFrom(...SHAPES),
    watch: fc.boolean(),
    resyncs: fc.constantFrom(false, false, false, false, false, false, false, true),
    keys,
    values: fc.constantFrom('numbered', 'numbered', 'plain', 'same'),
    bulk: fc.constantFrom('array', 'stream'),
    startsFirst: fc.constantFrom(true, true, true, false),
    schema: fc.constantFrom('none', 'none', 'sync', 'async'),
    freeze: fc.constantFrom(true, true, false),
    closedWorld: fc.constantFrom(false, false, true),
    bounded: fc.constantFrom(true, true, true, true, true, true, true, false),
    negativeTtl: fc.constantFrom(500, 0),
    staleIfError: fc.constantFrom(100_000, 3_000, 0),
    softTimeout: fc.constantFrom(50, 0, 1_000),
    timeout: fc.constantFrom(300, 300, 3_000),
    maxAbsentPerSecond: fc.constantFrom(100, SCARCE),
    singleCalls: fc.constantFrom(1, 2, 16),
    guard: fc.record({
      maxRemovedShare: fc.constantFrom(0.5, 0.2, 0.3),
      minRows: fc.integer({ min: 1, max: 3 }),
      acceptAfter: fc.integer({ min: 1, max: 3 }),
    }),
    chance: fc.constantFrom(0.5, 0.1, 0.9),
  })
  .map((drawn) => ({
    ...drawn,
    closedWorld: drawn.closedWorld && drawn.methods.includes('fetchAll'),
    // A row that was judged once is not judged again, and nothing would wait.
    schema: drawn.values === 'same' && drawn.schema === 'async' ? 'sync' : drawn.schema,
  })) as fc.Arbitrary<Settings>;
