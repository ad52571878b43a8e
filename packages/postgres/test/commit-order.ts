/** What has to hold of every delta, whatever tells of the changes: transactions commit in another order than they began. */
import type { Client } from 'pg';
import { expect, test } from 'vitest';
import type { PostgresRow } from '../src/index.ts';
import type { Mirror } from './mirror.ts';

interface Parts {
  /** Of the table `prices (id, amount)` with the ids 1 to 100; it has been read once. */
  readonly mirrorOf: () => Promise<Mirror<PostgresRow>>;
  /** Two sessions, rolled back after each test. */
  readonly writers: () => readonly Client[];
}

/** To be called inside a `describe`. */
export function testCommitOrder({ mirrorOf, writers }: Parts): void {
  test('brings a transaction that commits after a later one was read', async () => {
    const [early, late] = writers() as [Client, Client];
    const mirror = await mirrorOf();
    await early.query('begin; update prices set amount = 1 where id = 1');
    await late.query('update prices set amount = 2 where id = 2');
    await mirror.refresh();
    expect(mirror.changes).toBe('+2');
    await early.query('commit');
    await mirror.refresh();
    expect(mirror.changes).toBe('+1');
  });

  test('brings the later write of an earlier transaction to the same row', async () => {
    const [early, late] = writers() as [Client, Client];
    const mirror = await mirrorOf();
    await early.query('begin; select pg_current_xact_id()');
    await late.query('update prices set amount = 2 where id = 1');
    await mirror.refresh();
    await early.query('update prices set amount = 1 where id = 1; commit');
    await mirror.refresh();
    expect(mirror.rows.get('1')?.amount).toBe(1);
  });

  test('brings what was open while the snapshot was taken', async () => {
    const [early] = writers() as [Client];
    await early.query('begin; delete from prices where id = 3; savepoint s; update prices set amount = 1 where id = 4');
    const mirror = await mirrorOf();
    expect(mirror.rows.size).toBe(100);
    await early.query('release s; commit');
    await mirror.refresh();
    expect(mirror.changes).toBe('+4 -3');
  });
}
