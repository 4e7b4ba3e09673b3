import type { ColumnType } from 'kysely'

/** RFC 3339 in UTC with milliseconds on both engines (PostgreSQL keeps it as `timestamptz`): it sorts as text. */
export type Time = string
/** 0 and 1 in SQLite, `boolean` in PostgreSQL: read it with `Boolean()`. */
export type Flag = ColumnType<boolean | number, boolean, boolean>
