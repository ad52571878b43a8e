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
export type { FollowOptions, TouchedKeys } from './following/follow-options.ts';
export type { GroupedRowsOptions, JsonValue, PostgresRow, SingleRowOptions } from './options.ts';
export type { PushMode, PushSettings } from './push/push-options.ts';
export { type FollowingPostgresSource, type PostgresSnapshot, type PostgresSource, postgresSource } from './source.ts';
