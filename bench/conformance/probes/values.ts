/** What readers get is what the source had, whoever does what to it, under any key. */
import { isDeepStrictEqual } from 'node:util';
import { attempt, describe, offered, type ProbeGroup, stateOf, times } from '../probe.ts';

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}

/** Values as a driver, or the code around it, makes them. */
const KINDS: Readonly<Record<string, () => unknown>> = {
  Date: () => new Date(86_400_000),
  Map: () => new Map([['k', 1]]),
  Set: () => new Set([1]),
  bigint: () => 2n ** 64n,
  'an undefined property': () => ({ here: 1, gone: undefined }),
  NaN: () => ({ ratio: Number.NaN }),
  Uint8Array: () => new Uint8Array([1, 2]),
  'class instance': () => new Money(100),
};

const ODD_KEYS: Readonly<Record<string, string>> = {
  '`__proto__`': '__proto__',
  constructor: 'constructor',
  toString: 'toString',
  'the empty string': '',
  NUL: '\0',
  'a lone surrogate': '\ud800',
  '1 MB': 'x'.repeat(2 ** 20),
};

/** Names of odd keys, with what went wrong. */
function wrong(found: (key: string) => unknown): string[] {
  return Object.entries(ODD_KEYS)
    .filter(([, key]) => stateOf(found(key)) !== 'old')
    .map(([name, key]) => `${name} gives ${describe(found(key))}`);
}

export const values: ProbeGroup = {
  title: 'Values and keys',
  probes: [
    {
      id: 'reader-changes-value',
      title: 'What a reader does to a value, no other reader sees',
      expected:
        'two readers, one after the other, try to change the object they got: the third reads what the source had',
      why: 'one request corrupts all others (cacheable#137, node-cache#27, FusionCache#194)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const seen: string[] = [];
        for (let reader = 1; reader <= 3; reader += 1) {
          const { value } = await attempt(() => cache.read('a'));
          seen.push(describe(value));
          // A refusal is an answer, too.
          await attempt(() => Object.assign(value as object, { state: 'changed' }));
        }
        return {
          pass: seen.every((value) => value === 'the old value'),
          observed: `they get ${seen.join(', ')}`,
        };
      },
    },
    {
      id: 'source-keeps-its-object',
      title: 'The source may go on changing the object that it handed over',
      expected: 'it does so after a read: it is not refused, and a reader gets the object as it was handed over',
      why: 'loaders that hand out rows of a list of their own',
      async run(lab) {
        const cache = lab.open();
        const own = { id: 'a', state: 'old' };
        lab.truth.putValue('a', () => own);
        await attempt(() => cache.read('a'));
        const write = await attempt(() => {
          own.state = 'changed';
        });
        const read = await attempt(() => cache.read('a'));
        return {
          pass: write.state === 'value' && read.is('old'),
          observed: `its write ends with ${write.state === 'error' ? write : 'no error'}, the reader gets ${read}`,
        };
      },
    },
    {
      id: 'setter-keeps-its-object',
      title: 'Who put a value in by hand may go on changing the object',
      expected: 'the object is changed after it was set: a reader gets it as it was set',
      why: 'as above (cacheable#1183)',
      async run(lab) {
        const cache = lab.open();
        const set = offered(cache.set, 'way to put a value in by hand');
        const own = { id: 'a', state: 'old' };
        await attempt(() => set('a', own));
        const write = await attempt(() => {
          own.state = 'changed';
        });
        const read = await attempt(() => cache.read('a'));
        return {
          pass: write.state === 'value' && read.is('old'),
          observed: `the write ends with ${write.state === 'error' ? write : 'no error'}, the reader gets ${read}`,
        };
      },
    },
    {
      id: 'types-are-kept',
      title: 'Values keep their types',
      expected: `${Object.keys(KINDS).join(', ')}: each equals what the source had at the first, second and third read`,
      why: 'a Date that is a string from the second read on is a bug that no test of the first read finds',
      async run(lab) {
        const cache = lab.open();
        const lost: string[] = [];
        for (const [kind, make] of Object.entries(KINDS)) {
          lab.truth.putValue(kind, make);
          for (let read = 1; read <= 3; read += 1) {
            const got = await attempt(() => cache.read(kind));
            if (got.state === 'value' && isDeepStrictEqual(got.value, make())) continue;
            lost.push(`${kind} at read ${read} (${got.state === 'error' ? got : typeName(got.value)})`);
            break;
          }
        }
        return {
          pass: lost.length === 0,
          observed: lost.length === 0 ? 'all are kept' : `not kept: ${lost.join(', ')}`,
        };
      },
    },
    {
      id: 'null-is-a-value',
      title: '`null` is a value like any other',
      expected: 'the row is `null`: two reads get `null`, 1 call',
      why: '"set to nothing" is not "never set"',
      async run(lab) {
        const cache = lab.open();
        lab.truth.putValue('a', () => null);
        await attempt(() => cache.read('a'));
        const read = await attempt(() => cache.read('a'));
        const calls = lab.truth.count();
        return {
          pass: read.state === 'value' && read.value === null && calls === 1,
          observed: `the second read gets ${read}, ${times(calls, 'call')}`,
        };
      },
    },
    {
      id: 'odd-keys',
      title: 'Any string is a key',
      expected: `${Object.keys(ODD_KEYS).join(', ')}: read twice, each gives its own row, and is loaded once`,
      why: 'keys come from users',
      async run(lab) {
        const cache = lab.open();
        for (const key of Object.values(ODD_KEYS)) lab.truth.put(key, 'old');
        const found = new Map<string, unknown>();
        for (const key of Object.values(ODD_KEYS)) {
          await attempt(() => cache.read(key));
          const { value } = await attempt(() => cache.read(key));
          if ((value as { id?: unknown } | undefined)?.id === key) found.set(key, value);
        }
        const calls = lab.truth.count();
        const lost = wrong((key) => found.get(key));
        return {
          pass: lost.length === 0 && calls === found.size,
          observed: lost.length === 0 ? `all right, ${times(calls, 'call')}` : lost.join(', '),
        };
      },
    },
    {
      id: 'odd-keys-in-bulk',
      title: 'Any string is a key in a bulk read',
      expected: 'one read of all of them gives each its own row',
      why: 'objects used as maps lose `__proto__`, and find `constructor` where nothing is',
      async run(lab) {
        const cache = lab.open();
        const readMany = offered(cache.readMany, 'read that loads several keys');
        for (const key of Object.values(ODD_KEYS)) lab.truth.put(key, 'old');
        const read = await attempt(() => readMany(Object.values(ODD_KEYS)));
        const found = read.value instanceof Map ? (read.value as Map<string, unknown>) : new Map<string, unknown>();
        const lost = wrong((key) => found.get(key));
        return { pass: lost.length === 0, observed: lost.length === 0 ? 'all right' : lost.join(', ') };
      },
    },
  ],
};

function typeName(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value;
  const name = value.constructor?.name ?? 'an object';
  return name === 'Object' ? `an object with ${Object.keys(value).join(', ') || 'nothing'}` : name;
}
