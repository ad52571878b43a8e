/** Uses a contender in real time and has nothing more to do then. `node real-time-process.ts CONTENDER` */
import { loadContender } from './contenders.ts';
import { REFRESH, TTL } from './probe.ts';
import { Truth } from './truth.ts';

const { open, openWholeSet } = await loadContender(process.argv[2]!);
const truth = new Truth();
truth.put('a', 'old');
const wholeSet = openWholeSet?.(truth, { refreshMs: REFRESH });
await wholeSet?.start();
await (wholeSet ?? open(truth, { ttlMs: TTL })).read('a');
