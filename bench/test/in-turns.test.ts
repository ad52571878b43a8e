import { expect, test } from 'vitest';
import { inTurns } from '../in-turns.ts';

const contenders = ['a', 'b', 'c', 'd'];
const orders = Array.from({ length: 8 }, (_, round) => inTurns(contenders, round));

test('all go in each round, and each begins as often as the others', () => {
  for (const order of orders) expect(order.toSorted()).toEqual(contenders);
  expect(orders.map(([first]) => first).toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd']);
});

test('two rounds give each the same place on average', () => {
  for (let round = 0; round < orders.length; round += 2) {
    const [one, other] = [orders[round]!, orders[round + 1]!];
    for (const name of contenders) expect(one.indexOf(name) + other.indexOf(name)).toBe(contenders.length - 1);
  }
});

test('none always goes after the same other', () => {
  for (const name of contenders) {
    const before = new Set(orders.map((order) => order[order.indexOf(name) - 1]));
    before.delete(undefined);
    expect(before.size).toBe(2);
  }
});
