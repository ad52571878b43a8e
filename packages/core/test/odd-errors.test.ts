import { describe, expect, test } from 'vitest';
import { CacheError, TTLCacheService } from '../src/index.ts';
import { settle, VirtualClock } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

function throwing(object: object, name: string): unknown {
  return Object.defineProperty(object, name, {
    get() {
      throw new Error('not to be read');
    },
  });
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function ofItself(): unknown {
  const error = new AggregateError([], '');
  error.errors.push(error);
  return error;
}

const refused = (port: number): Error => new Error(`connect ECONNREFUSED 127.0.0.1:${port}`);

/** What may be thrown, and what is told of it. */
const ODD_ERRORS: readonly { readonly what: string; readonly error: unknown; readonly told: string }[] = [
  { what: 'with a symbol for its message', error: Object.assign(new Error(), { message: Symbol('m') }), told: '' },
  { what: 'whose message is no text', error: Object.assign(new Error(), { message: Object.create(null) }), told: '' },
  { what: 'whose message cannot be read', error: throwing(new Error(), 'message'), told: '' },
  { what: 'whose name cannot be read', error: throwing(new Error('down'), 'name'), told: 'down' },
  { what: 'that is a proxy which was revoked', error: revoked(), told: '' },
  { what: 'that is undefined', error: undefined, told: '' },
  { what: 'that is null', error: null, told: '' },
  { what: 'that is an empty text', error: '', told: '' },
  { what: 'that is a text', error: 'down', told: 'down' },
  { what: 'without a word', error: new Error(), told: '' },
  { what: 'with a code alone', error: Object.assign(new Error(), { code: 'ECONNRESET' }), told: 'ECONNRESET' },
  {
    what: 'that tells only of those inside',
    error: Object.assign(new AggregateError([refused(1), refused(2)], ''), { code: 'ECONNREFUSED' }),
    told: 'connect ECONNREFUSED 127.0.0.1:1',
  },
  { what: 'that holds itself', error: ofItself(), told: '' },
  {
    what: 'whose being reachable cannot be read',
    error: throwing(new Error('down'), 'reachable'),
    told: 'down',
  },
];

describe.each(ODD_ERRORS)('an error $what', ({ error, told }) => {
  const said = told === '' ? 'no message' : told;

  test('ends a fetch at once, and tells what can be told', async () => {
    const clock = new VirtualClock();
    const cache = new TTLCacheService({ name: 'test', clock, source: { fetchOne: () => Promise.reject(error) } });
    let outcome: unknown;
    cache.fetch('a').catch((thrown: unknown) => (outcome = thrown));
    await settle();
    expect(outcome).toMatchObject({ code: 'source-failed', message: `cache "test": the source failed: ${said}` });
    expect(clock.pendingTimers).toBe(0);
    await cache.stop();
  });

  test('half-way through a snapshot makes it an invalid one', async () => {
    const clock = new VirtualClock();
    const source = {
      async *fetchAll(): AsyncGenerator<[string, number]> {
        yield ['a', 1];
        throw error;
      },
    };
    const cache = new TTLCacheService<number>({
      name: 'test',
      clock,
      source: { fetchAll: async () => source.fetchAll() },
    });
    await cache.start();
    expect(cache.status().lastRefresh?.error).toMatchObject({
      code: 'invalid-snapshot',
      message: `cache "test": the snapshot broke off half-way: ${said}`,
    });
    await cache.stop();
  });

  test('of a watch is told of once, and the watch is tried again', async () => {
    const clock = new VirtualClock();
    let tries = 0;
    const source = {
      fetchAll: async () => new Map([['a', 1]]),
      watch: () => {
        tries += 1;
        return Promise.reject(error);
      },
    };
    const cache = new TTLCacheService<number>({ name: 'test', clock, source });
    const errors: string[] = [];
    cache.on('error', ({ message }) => errors.push(message));
    await cache.start();
    await clock.advance('1m');
    expect(errors).toEqual([`cache "test": the watch failed: ${said}`]);
    expect(tries).toBeGreaterThan(1);
    await cache.stop();
  });

  test('of a listener is a warning, and the refresh is what it was', async () => {
    const clock = new VirtualClock();
    const warnings: string[] = [];
    const warned = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', warned);
    const cache = new TTLCacheService<number>({
      name: 'test',
      clock,
      source: { fetchAll: async () => new Map([['a', 1]]) },
    });
    cache.on('change', () => {
      throw error;
    });
    await cache.start();
    await settle();
    process.off('warning', warned);
    expect(warnings).toEqual([`cache "test": a listener of "change" threw: ${said}`]);
    expect(cache.status()).toMatchObject({ state: 'live', lastRefresh: { outcome: 'published' } });
    await cache.stop();
  });

  test('is no CacheError, and asking does not throw', () => {
    expect(CacheError.isInstance(error)).toBe(false);
  });
});
