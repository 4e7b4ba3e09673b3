import type { ColumnType } from 'kysely'

/** RFC 3339 in UTC with milliseconds on both engines, which sorts as text. PostgreSQL stores `timestamptz`. */
export type Time = string
/** 0 or 1 in SQLite, `boolean` in PostgreSQL: convert it with `Boolean()`. */
export type Flag = ColumnType<boolean | number, boolean, boolean>
