import { describe, expect, test } from 'vitest';
import { Fence } from '../src/fence.ts';

const marks = (fence: Fence): string[] => [...fence.keysMarkedAfter(0)];

describe('the fence', () => {
  test('admits what was requested after the key was invalidated or stored, and nothing older', () => {
    const fence = new Fence();
    const older = fence.open();
    fence.invalidate('a');
    const newer = fence.open();
    expect([fence.admits('a', older), fence.admits('a', newer)]).toEqual([false, true]);
    expect([fence.admits('b', older), fence.admits('b', newer)]).toEqual([true, true]);
    fence.stored('b', newer);
    expect(fence.admits('b', older)).toBe(false);
    const newest = fence.open();
    expect(fence.admits('b', newest)).toBe(true);
  });

  test('knows what stands for all keys: a snapshot that was stored, and an invalidation of everything', () => {
    const fence = new Fence();
    const single = fence.open();
    const snapshot = fence.open();
    const later = fence.open();
    fence.storedAll(snapshot);
    expect([single, later].map((ticket) => fence.admits('a', ticket))).toEqual([false, true]);
    expect([single, snapshot, later].map((ticket) => fence.isOvertaken(ticket))).toEqual([true, false, false]);
    fence.invalidateAll();
    expect([later, fence.open()].map((ticket) => fence.admits('a', ticket))).toEqual([false, true]);
    // A snapshot sent before cannot take that back.
    fence.storedAll(snapshot);
    expect(fence.admits('a', later)).toBe(false);
    expect(fence.isOvertaken(later)).toBe(true);
  });

  test('names the keys of which something later is known', () => {
    const fence = new Fence();
    const single = fence.open();
    const snapshot = fence.open();
    const later = fence.open();
    fence.stored('before', single);
    fence.stored('after', later);
    fence.invalidate('invalidated');
    expect([...fence.keysMarkedAfter(snapshot)]).toEqual(['after', 'invalidated']);
  });

  test('moments lie between the requests before and after', () => {
    const fence = new Fence();
    const before = fence.open();
    const moment = fence.moment();
    const after = fence.open();
    expect(before < moment && moment < after).toBe(true);
    fence.invalidate('a');
    expect(fence.admits('a', moment)).toBe(false);
    expect(fence.admits('a', fence.moment())).toBe(true);
  });

  test('keeps marks as long as an older request is under way, and no longer', () => {
    const fence = new Fence();
    fence.invalidate('nothing is under way');
    expect(marks(fence)).toEqual([]);
    const oldest = fence.open();
    fence.invalidate('a');
    const middle = fence.open();
    fence.invalidate('b');
    fence.close(middle);
    expect(marks(fence)).toEqual(['a', 'b']);
    expect(fence.admits('b', oldest)).toBe(false);
    const newest = fence.open();
    fence.invalidate('c');
    fence.close(oldest);
    expect(marks(fence)).toEqual(['c']);
    fence.close(newest);
    expect(marks(fence)).toEqual([]);
  });

  test('lets go of thousands of marks at once where nothing is under way, else of some with each that ends', () => {
    const fence = new Fence();
    let oldest = fence.open();
    for (let key = 0; key < 2_500; key += 1) fence.invalidate(`${key}`);
    const left: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const next = fence.open();
      fence.close(oldest);
      oldest = next;
      left.push(marks(fence).length);
    }
    expect(left).toEqual([1_500, 500, 0]);
    for (let key = 0; key < 2_500; key += 1) fence.invalidate(`${key}`);
    fence.close(oldest);
    expect(marks(fence)).toEqual([]);
  });

  test('is bounded by the writes during the longest request, however long the whole lasts', () => {
    const fence = new Fence();
    let under = fence.open();
    let most = 0;
    for (let turn = 0; turn < 10_000; turn += 1) {
      const next = fence.open();
      fence.stored(`key ${turn}`, next);
      fence.invalidate(`other ${turn}`);
      fence.close(under);
      under = next;
      most = Math.max(most, marks(fence).length);
    }
    expect(most).toBeLessThan(10);
  });
});
