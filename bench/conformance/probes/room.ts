/** How much is held, and what goes first. */

import { attempt, offered, type ProbeGroup, times } from '../probe.ts';
import { countHeld } from './count-held.ts';

export const room: ProbeGroup = {
  title: 'Room',
  probes: [
    {
      id: 'used-stays',
      title: 'What is read all the time stays when room is made',
      expected: 'room for 100 entries; one is read again after each of 500 others: it is loaded once',
      why: 'the hottest keys must not be the ones that miss',
      async run(lab) {
        const cache = lab.open({ max: 100 });
        lab.truth.put('hot', 'old');
        for (let key = 0; key < 500; key += 1) lab.truth.put(`k${key}`, 'old');
        await attempt(() => cache.read('hot'));
        let calls = lab.truth.count();
        let reloads = 0;
        for (let key = 0; key < 500; key += 1) {
          await attempt(() => cache.read(`k${key}`));
          calls = lab.truth.count();
          await attempt(() => cache.read('hot'));
          reloads += lab.truth.count() - calls;
        }
        return { pass: reloads === 0, observed: `reloaded ${times(reloads, 'time')}` };
      },
    },
    {
      id: 'bounded-by-weight',
      title: 'The room can be given in bytes',
      expected: 'room for 1 MB; 100 texts of 100 kB are read: at least one and at most 11 of them are held',
      why: 'entries differ in size by a factor of a thousand',
      async run(lab) {
        offered(lab.contender.openWeighed, 'bound in bytes');
        const cache = lab.keep(lab.contender.openWeighed!(lab.truth, 1_000_000));
        const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
        for (const key of keys) lab.truth.putValue(key, () => key.padEnd(100_000, 'x'));
        for (const key of keys) await attempt(() => cache.read(key));
        const held = await countHeld(lab, cache, keys);
        return { pass: held >= 1 && held <= 11, observed: `${held} are held` };
      },
    },
  ],
};
