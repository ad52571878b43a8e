import { describe, expect, test } from 'vitest';
import { type Expiring, ExpiryQueue } from '../src/expiry-queue.ts';

interface Entry extends Expiring {
  readonly name: string;
}

const entry = (name: string, deadline: number): Entry => ({ name, deadline, queuedFor: undefined, removed: false });

function due(queue: ExpiryQueue<Entry>, now: number): string[] {
  const names: string[] = [];
  for (let taken = queue.takeDue(now); taken !== undefined; taken = queue.takeDue(now)) names.push(taken.name);
  return names;
}

/** Small, seeded. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the expiry queue', () => {
  test('gives what is past its deadline, earliest first; at the deadline it is not', () => {
    const queue = new ExpiryQueue<Entry>();
    for (const [index, deadline] of [5, 1, 4, 2, 3, 2].entries()) queue.add(entry(`${deadline}/${index}`, deadline));
    expect(queue.nextAt).toBe(1);
    expect(due(queue, 1)).toEqual([]);
    expect(due(queue, 4).map((name) => name[0])).toEqual(['1', '2', '2', '3']);
    expect(queue.nextAt).toBe(4);
    expect(due(queue, 10)).toHaveLength(2);
    expect([queue.nextAt, queue.size]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  test('follows a deadline that moves, later and earlier, and gives the entry once', () => {
    const queue = new ExpiryQueue<Entry>();
    const moving = entry('moving', 10);
    queue.add(moving);
    queue.add(moving);
    moving.deadline = 30;
    queue.add(moving);
    expect(queue.size).toBe(1);
    expect(due(queue, 20)).toEqual([]);
    expect(queue.nextAt).toBe(30);
    moving.deadline = 22;
    queue.add(moving);
    expect(queue.nextAt).toBe(22);
    expect(due(queue, 23)).toEqual(['moving']);
    expect(due(queue, 100)).toEqual([]);
    moving.deadline = 30;
    queue.add(moving);
    expect(due(queue, 100)).toEqual(['moving']);
  });

  test('never holds what is endless, nor gives what was removed', () => {
    const queue = new ExpiryQueue<Entry>();
    queue.add(entry('endless', Number.POSITIVE_INFINITY));
    expect(queue.size).toBe(0);
    const removed = entry('removed', 1);
    queue.add(removed);
    removed.removed = true;
    expect(due(queue, 5)).toEqual([]);
    expect(queue.size).toBe(0);
  });

  test('forgets removed and doubled places when it is compacted, and keeps its order', () => {
    const queue = new ExpiryQueue<Entry>();
    const entries = Array.from({ length: 100 }, (_, index) => entry(`${index}`, (index * 37) % 100));
    for (const one of entries) queue.add(one);
    for (const one of entries.slice(0, 90)) one.removed = true;
    entries[95]!.deadline = -1;
    queue.add(entries[95]!);
    expect(queue.size).toBe(101);
    queue.compact();
    expect(queue.size).toBe(10);
    const expected = entries.slice(90).toSorted((a, b) => a.deadline - b.deadline);
    expect(due(queue, 1_000)).toEqual(expected.map(({ name }) => name));
    queue.add(entry('last', 1));
    queue.clear();
    expect(queue.size).toBe(0);
  });

  test('agrees with a sorted list over random histories', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = chance(seed);
      const queue = new ExpiryQueue<Entry>();
      const entries = new Map<string, Entry>();
      for (let step = 0, now = 0; step < 300; step += 1) {
        const name = `${Math.floor(random() * 30)}`;
        const known = entries.get(name);
        const deadline = now + Math.floor(random() * 50);
        if (random() < 0.2) {
          if (known !== undefined) known.removed = true;
          entries.delete(name);
        } else {
          const one = known ?? entry(name, deadline);
          one.deadline = deadline;
          entries.set(name, one);
          queue.add(one);
        }
        if (random() < 0.1) queue.compact();
        now += Math.floor(random() * 4);
        const expected = [...entries.values()].filter((one) => one.deadline < now);
        expect(due(queue, now).toSorted()).toEqual(expected.map((one) => one.name).toSorted());
        for (const one of expected) entries.delete(one.name);
      }
    }
  });
});
