/** A process that loads agents, as a server does: started and told what to do by load-process-client.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, createZipf } from '../random.ts';
import { type ContenderName, openContender } from './contenders.ts';
import type { Conversation } from './data.ts';

/** The first message. The process answers when it is ready: contender opened, caches started. */
export interface LoadProcessSetup {
  readonly contender: ContenderName;
  readonly databaseUrl: string;
  readonly conversations: readonly Conversation[];
}

/** Every later message. The process answers with a LoadResult when it has done it. */
export type LoadRequest =
  /** Every conversation once. */
  | { readonly kind: 'each' }
  /** So many loads by Zipf's law, as fast as they go, several at a time. */
  | { readonly kind: 'burst'; readonly loads: number; readonly lanes: number }
  /** None, until so many seconds have passed since the contender was opened. */
  | { readonly kind: 'wait'; readonly seconds: number }
  /** So many loads a second. */
  | { readonly kind: 'pace'; readonly perSecond: number; readonly seconds: number };

export interface LoadResult {
  readonly loads: number;
  readonly tookMs: number;
}

/** Where a server's clock of 10,000 loads a second ticks. */
const TICK_MS = 10;
/** Who cannot keep pace does fewer loads, but lets other things happen in time. */
const LONGEST_TURN_MS = 50;

process.once('disconnect', () => process.exit());
process.once('message', async ({ contender: name, databaseUrl, conversations }: LoadProcessSetup) => {
  const contender = await openContender(name, databaseUrl);
  const openedAt = performance.now();
  const draw = createZipf(conversations.length, createRandom(4));
  const loadNext = async (): Promise<void> => void (await contender.load(conversations[draw()]!));

  const act = async (request: LoadRequest): Promise<number> => {
    switch (request.kind) {
      case 'each':
        for (const conversation of conversations) await contender.load(conversation);
        return conversations.length;
      case 'burst':
        return burst(request, loadNext);
      case 'wait':
        while (performance.now() < openedAt + request.seconds * 1000) await sleep(TICK_MS);
        return 0;
      case 'pace':
        return pace(request, loadNext);
    }
  };
  process.on('message', async (request: LoadRequest) => {
    const started = performance.now();
    const loads = await act(request);
    process.send?.({ loads, tookMs: performance.now() - started } satisfies LoadResult);
  });
  process.send?.('ready');
});

async function burst({ loads, lanes }: { loads: number; lanes: number }, load: () => Promise<void>): Promise<number> {
  let left = loads;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await load();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return loads;
}

async function pace(
  { perSecond, seconds }: { perSecond: number; seconds: number },
  load: () => Promise<void>,
): Promise<number> {
  const started = performance.now();
  for (let done = 0; ; await sleep(TICK_MS)) {
    const now = performance.now();
    const elapsed = Math.min((now - started) / 1000, seconds);
    const isLate = (): boolean => performance.now() > now + LONGEST_TURN_MS;
    for (; done < Math.floor(elapsed * perSecond) && !isLate(); done += 1) await load();
    if (elapsed === seconds) return done;
  }
}
