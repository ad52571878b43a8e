/**
 * Which history of which database answers: a position is worth nothing in another one.
 *
 * The timeline grows with each promotion. A crash gives out transaction ids again that it had given out before, those of
 * which nothing had reached the disk:
 *
 *     100 is rolled back ──▶ we see all below 101 ──▶ crash ──▶ 100 writes and commits: below 101, so nothing new
 *
 * Neither the timeline nor the start of the server tells of it (a backend that is killed is a crash, too), but its
 * statistics begin anew.
 */

/** SQL of its name. `database`: SQL of what tells databases of one server apart. */
export function incarnationSql(database: string): string {
  return `concat_ws(' ', (pg_control_system()).system_identifier, ${database},
  case when pg_is_in_recovery() then concat('standby ', greatest((pg_control_checkpoint()).timeline_id,
    (pg_control_recovery()).min_recovery_end_timeline)) else left(pg_walfile_name(pg_current_wal_lsn()), 8) end,
  extract(epoch from pg_stat_get_bgwriter_stat_reset_time()))`;
}
