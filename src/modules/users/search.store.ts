import { type SelectQueryBuilder, sql } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import type { Tables } from '../../kernel/db/tables.ts'
import { USER_COLUMNS, type UserRow } from './user.row.ts'

export interface Filters {
  /** As returned by `searchTerm`. */
  term: string | null
  role?: 'user' | 'admin' | undefined
  is_active?: boolean | undefined
  email_verified?: boolean | undefined
  created_from?: string | undefined
  created_to?: string | undefined
}

/**
 * How the rows of a list are found: by the index of the search text, of the flags and the creation time, or of the sort
 * order. The other filters are applied to each row. `search.plan.ts` chooses the path.
 */
export type AccessPath = 'term' | 'filters' | 'order'

type Column = 'created_at' | 'email_key' | 'name_key' | 'last_login_at'
type Query = SelectQueryBuilder<Tables, 'users', object>

/** All flags with all their values. */
const FLAGS = { role: ['user', 'admin'], is_active: [false, true], email_verified: [false, true] } as const
const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[]

/** Returns whether there are filters other than the term. */
export const hasFilters = ({ term: _, ...rest }: Filters): boolean =>
  Object.values(rest).some((value) => value !== undefined)

/** Counts the users whose search text contains a term, up to `max`. */
export function countTerm(db: Db, term: string, max: number): Promise<number> {
  const found =
    engineOf(db) === 'sqlite'
      ? sql`select 1 from users_search where users_search match ${phrase(term)} limit ${max}`
      : sql`select 1 from users where search_text like ${pattern(term)} limit ${max}`
  return count(db, found)
}

/** Counts the users that match, up to `max` if it is given. */
export function countMatches(db: Db, filters: Filters, path: AccessPath, max?: number): Promise<number> {
  const all = matching(db, filters, path).select(sql`1`.as('one'))
  const found = max === undefined ? all : all.limit(max)
  return count(db, sql`${found}`)
}

async function count(db: Db, rows: ReturnType<typeof sql>): Promise<number> {
  const { rows: result } = await sql<{ n: number }>`select count(*) as n from (${rows}) as found`.execute(db)
  return Number(result[0]?.n)
}

export interface Page {
  column: Column
  direction: 'asc' | 'desc'
  limit: number
  offset: number
  after: Position | null
  before?: Position | undefined
}

interface Position {
  value: string
  id: string
}

type UserPage = (UserRow & { sort_value: string })[]

/**
 * Returns one page of the matching users. Matches found by the term or the filters are collected before they are
 * sorted.
 */
export async function pageOfUsers(db: Db, filters: Filters, page: Page, path: AccessPath): Promise<UserPage> {
  const { column, direction } = page
  const rows = path === 'order' ? matching(db, filters, path, column) : collected(db, filters, path, column)
  let ids = between(rows, page)
    .select('users.id')
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .limit(page.limit)
  if (!page.after && page.offset) ids = ids.offset(page.offset)
  // Rows to skip are skipped in the index or in the collected ids: only the rows of the page are read.
  return db
    .selectFrom('users')
    .select(USER_COLUMNS)
    .select(`users.${column} as sort_value`)
    .where('users.id', 'in', ids)
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .execute() as Promise<UserPage>
}

/** Returns the same page by the sort order after reading at most `maxRows` users, or null if it is not full by then. */
export async function pageWithin(db: Db, filters: Filters, page: Page, maxRows: number): Promise<UserPage | null> {
  const { column, direction } = page
  const end = await between(db.selectFrom('users') as Query, page)
    .select([`users.${column} as value`, 'users.id'])
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .offset(maxRows)
    .limit(1)
    .executeTakeFirst()
  const found = await pageOfUsers(db, filters, { ...page, ...(end && { before: end }) }, 'order')
  return end && found.length < page.limit ? null : found
}

/** Restricts a query to users after one position in the sort order and before another. */
function between(query: Query, { column, direction, after, before }: Page): Query {
  const [more, less] = direction === 'asc' ? ['>', '<'] : ['<', '>']
  const comparedTo = (sign: string | undefined, { value, id }: Position) =>
    sql<boolean>`(${sql.ref(`users.${column}`)}, users.id) ${sql.raw(`${sign}`)} (${value}, ${id})`
  let bounded = query
  if (after) bounded = bounded.where(comparedTo(more, after))
  if (before) bounded = bounded.where(comparedTo(less, before))
  return bounded
}

const collected = (db: Db, filters: Filters, path: AccessPath, column: Column): Query =>
  db
    .with(
      (cte) => cte('found').materialized(),
      () => matching(db, filters, path).select(['users.id', `users.${column}`]),
    )
    .selectFrom('found as users') as unknown as Query

/**
 * Returns a query for the users that match, written so that the planner follows `path`. On SQLite, `+` excludes a
 * column from indexes, and flags without a filter are listed with all their values. On PostgreSQL only `like` needs a
 * hint.
 */
function matching(db: Db, filters: Filters, path: AccessPath, order?: Column): Query {
  const sqlite = engineOf(db) === 'sqlite'
  const conditions: ReturnType<typeof sql<boolean>>[] = []
  const column = (name: keyof typeof FLAGS | 'created_at', isPath: boolean) =>
    sqlite && !isPath ? sql`+${sql.ref(`users.${name}`)}` : sql.ref(`users.${name}`)

  for (const name of FLAG_NAMES) {
    const wanted = filters[name]
    const isPath = path === 'filters'
    if (wanted !== undefined) conditions.push(sql`${column(name, isPath)} = ${wanted}`)
    else if (isPath && FLAG_NAMES.some((other) => filters[other] !== undefined))
      conditions.push(sql`${column(name, isPath)} in (${sql.join([...FLAGS[name]])})`)
  }
  const createdAt = column('created_at', path === 'filters' || order === 'created_at')
  if (filters.created_from) conditions.push(sql`${createdAt} >= ${filters.created_from}`)
  if (filters.created_to) conditions.push(sql`${createdAt} < ${filters.created_to}`)
  if (filters.term) conditions.push(hasTerm(sqlite, filters.term, path === 'term'))

  return conditions.reduce((query, condition) => query.where(condition), db.selectFrom('users') as Query)
}

function hasTerm(sqlite: boolean, term: string, isPath: boolean) {
  if (!sqlite)
    return sql<boolean>`${isPath ? sql`users.search_text` : sql`users.search_text || ''`} like ${pattern(term)}`
  return isPath
    ? sql<boolean>`users.seq in (select rowid from users_search where users_search match ${phrase(term)})`
    : sql<boolean>`instr(users.search_text, ${term}) > 0`
}

/** Returns a term as a string of the FTS5 query language. */
const phrase = (term: string): string => `"${term.replaceAll('"', '""')}"`

/** Returns a term as a substring pattern for LIKE. */
const pattern = (term: string): string => `%${term.replace(/[\\%_]/g, '\\$&')}%`
