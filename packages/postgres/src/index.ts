export type {
  PGliteClient,
  PGliteQueryable,
  PgClient,
  PgPool,
  PgQuery,
  PgResult,
  PostgresClient,
  PostgresJsClient,
  PostgresJsQuery,
  PostgresJsResult,
  PostgresJsTransaction,
} from './clients.ts';
export type { QueryParameter } from './database.ts';
export { PostgresError } from './errors.ts';
export type { FollowBy, FollowOptions, TouchedKeys } from './following/follow-options.ts';
export type { FullLoadsOptions } from './full-loads.ts';
export { type PostgresMirror, postgresMirror } from './mirror/mirror.ts';
export type { MirrorOptions, MirrorTableOptions, MirrorTables, RowOf } from './mirror/mirror-options.ts';
export type { MirrorTable } from './mirror/mirror-table.ts';
export type { MirrorView } from './mirror/mirror-view.ts';
export type { MirrorReading, TableReading } from './mirror/reading.ts';
export type { ViewOptions, ViewOptionsWithSchema } from './mirror/view-options.ts';
export type { GroupedRowsOptions, JsonValue, PostgresRow, SingleRowOptions } from './options.ts';
export type { PushMode, PushSettings } from './push/push-options.ts';
export { type FollowingPostgresSource, type PostgresSnapshot, type PostgresSource, postgresSource } from './source.ts';
