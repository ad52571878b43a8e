/** Uses the built packages as their consumers do, under whatever Node runs this. */
import assert from 'node:assert/strict';

const { TTLCacheService, CacheRegistry, CacheError } = await import('evercache');
const { VirtualClock, ScriptedSource } = await import('evercache/testing');
const { postgresSource } = await import('@evercache/postgres');

assert.equal(typeof postgresSource, 'function');
assert.equal(typeof CacheRegistry, 'function');

const clock = new VirtualClock();
const source = new ScriptedSource({ clock, rows: [['a', { n: 1 }]] });
const cache = new TTLCacheService({ name: 'built', source, clock });
await cache.start();
assert.deepEqual(cache.get('a'), { n: 1 });
assert.equal(await cache.fetch('b'), undefined);
await cache.stop();
await assert.rejects(cache.fetch('a'), (error) => error instanceof CacheError && error.code === 'stopped');

console.log(`built packages work under Node ${process.version}`);
