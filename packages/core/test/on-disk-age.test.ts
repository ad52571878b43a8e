import { stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { setUpDisk } from './support/disk.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);

describe('the age of what is served from a file', () => {
  test('is true over a wall clock that was set back while the machine ran', async () => {
    const first = await setUpDisk({ rows: rowsOf('a') });
    await first.cache.start();
    const second = await first.next();
    second.inner.behave('fail');
    await second.machine.clock.advance('2h');
    second.machine.clock.jumpWall(-3_600_000);
    await second.cache.start();
    expect(second.cache.status().ageMs).toBe(7_200_000);
  });

  test('is told by the wall clock after a reboot', async () => {
    const first = await setUpDisk({ rows: rowsOf('a') });
    await first.cache.start();
    const second = await first.next();
    second.inner.behave('fail');
    await second.machine.clock.advance('2h');
    second.machine.restart();
    await second.cache.start();
    expect(second.cache.status().ageMs).toBe(7_200_000);
  });

  test('that nobody can know, because the file is from the future, means that it is ignored', async () => {
    const first = await setUpDisk({ rows: rowsOf('a') });
    await first.cache.start();
    const second = await first.next();
    second.inner.behave('fail');
    second.machine.restart();
    second.machine.clock.jumpWall(-1);
    await second.cache.start();
    expect(second.cache.size).toBe(0);
    expect(second.disk()).toMatchObject({ warning: expect.stringContaining('future') });
  });

  test('moves with every confirmation, be it of a delta or of a snapshot that changes nothing', async () => {
    for (const methods of [['fetchAll', 'fetchChanges'], ['fetchAll']] as const) {
      const first = await setUpDisk({ methods, rows: rowsOf('a') });
      await first.cache.start();
      await expect.poll(() => first.disk().ageMs).toBe(0);
      const { ino } = await stat(first.path);
      await first.machine.clock.advance('3m');
      await first.cache.refresh();
      const second = await first.next();
      expect((await stat(first.path)).ino).toBe(ino);
      second.inner.behave('fail');
      await second.machine.clock.advance('7m');
      await second.cache.start();
      expect(second.cache.status().ageMs).toBe(420_000);
    }
  });
});
