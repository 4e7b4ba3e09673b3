import { type SelectQueryBuilder, sql } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import type { Tables } from '../../kernel/db/tables.ts'
import { USER_COLUMNS, type UserRow } from './user.row.ts'

export interface Filters {
  /** As `searchTerm` makes it. */
  term: string | null
  role?: 'user' | 'admin' | undefined
  is_active?: boolean | undefined
  email_verified?: boolean | undefined
  created_from?: string | undefined
  created_to?: string | undefined
}

/**
 * What leads to the rows of a list: the index of the searched text, the one over the flags and the time, or that of the
 * order. The other filters are then held against each row. `list.plan.ts` says which it is to be.
 */
export type AccessPath = 'term' | 'filters' | 'order'

type Column = 'created_at' | 'email_key' | 'name_key' | 'last_login_at'
type Query = SelectQueryBuilder<Tables, 'users', object>

/** Every flag, with all the values that it can have. */
const FLAGS = { role: ['user', 'admin'], is_active: [false, true], email_verified: [false, true] } as const
const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[]

/** Whether anything but a term is asked for. */
export const hasFilters = ({ term: _, ...rest }: Filters): boolean =>
  Object.values(rest).some((value) => value !== undefined)

/** How many users have a term in their searched text, counted no further than `most`. */
export function countTerm(db: Db, term: string, most: number): Promise<number> {
  const found =
    engineOf(db) === 'sqlite'
      ? sql`select 1 from users_search where users_search match ${phrase(term)} limit ${most}`
      : sql`select 1 from users where search_text like ${pattern(term)} limit ${most}`
  return count(db, found)
}

/** How many users match, counted no further than `most` where that is given. */
export function countMatches(db: Db, filters: Filters, lead: AccessPath, most?: number): Promise<number> {
  const all = matching(db, filters, lead).select(sql`1`.as('one'))
  const found = most === undefined ? all : all.limit(most)
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
  after: Place | null
  before?: Place | undefined
}

interface Place {
  value: string
  id: string
}

type Found = (UserRow & { sort_value: string })[]

/** One page of the users that match. What a term or the filters lead to is gathered before it is sorted. */
export async function pageOfUsers(db: Db, filters: Filters, page: Page, lead: AccessPath): Promise<Found> {
  const { column, direction } = page
  const rows = lead === 'order' ? matching(db, filters, lead, column) : gathered(db, filters, lead, column)
  let ids = beyond(rows, page)
    .select('users.id')
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .limit(page.limit)
  if (!page.after && page.offset) ids = ids.offset(page.offset)
  // The index alone, or what was gathered, says whom to step over: only the rows of the page are read.
  return db
    .selectFrom('users')
    .select(USER_COLUMNS)
    .select(`users.${column} as sort_value`)
    .where('users.id', 'in', ids)
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .execute() as Promise<Found>
}

/**
 * The same page by the order, looking at no more than `most` users; null where it is not full by then, as when all who
 * match are at the other end.
 */
export async function pageWithin(db: Db, filters: Filters, page: Page, most: number): Promise<Found | null> {
  const { column, direction } = page
  const end = await beyond(db.selectFrom('users') as Query, page)
    .select([`users.${column} as value`, 'users.id'])
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .offset(most)
    .limit(1)
    .executeTakeFirst()
  const found = await pageOfUsers(db, filters, { ...page, ...(end && { before: end }) }, 'order')
  return end && found.length < page.limit ? null : found
}

/** Users that come after a place in the order, and before another. */
function beyond(query: Query, { column, direction, after, before }: Page): Query {
  const [more, less] = direction === 'asc' ? ['>', '<'] : ['<', '>']
  const than = (sign: string | undefined, { value, id }: Place) =>
    sql<boolean>`(${sql.ref(`users.${column}`)}, users.id) ${sql.raw(`${sign}`)} (${value}, ${id})`
  let bounded = query
  if (after) bounded = bounded.where(than(more, after))
  if (before) bounded = bounded.where(than(less, before))
  return bounded
}

const gathered = (db: Db, filters: Filters, lead: AccessPath, column: Column): Query =>
  db
    .with(
      (cte) => cte('found').materialized(),
      () => matching(db, filters, lead).select(['users.id', `users.${column}`]),
    )
    .selectFrom('found as users') as unknown as Query

/**
 * Users under filters, so written that the planners go the way of `lead`. SQLite's has no statistics to go by: `+` keeps
 * it from an index, and the flags lead by all their values, since one index is over all of them. PostgreSQL's has, and
 * only its guess for a text search needs a hand.
 */
function matching(db: Db, filters: Filters, lead: AccessPath, order?: Column): Query {
  const sqlite = engineOf(db) === 'sqlite'
  const conditions: ReturnType<typeof sql<boolean>>[] = []
  const column = (name: keyof typeof FLAGS | 'created_at', leads: boolean) =>
    sqlite && !leads ? sql`+${sql.ref(`users.${name}`)}` : sql.ref(`users.${name}`)

  for (const name of FLAG_NAMES) {
    const wanted = filters[name]
    const leads = lead === 'filters'
    if (wanted !== undefined) conditions.push(sql`${column(name, leads)} = ${wanted}`)
    else if (leads && FLAG_NAMES.some((other) => filters[other] !== undefined))
      conditions.push(sql`${column(name, leads)} in (${sql.join([...FLAGS[name]])})`)
  }
  const createdAt = column('created_at', lead === 'filters' || order === 'created_at')
  if (filters.created_from) conditions.push(sql`${createdAt} >= ${filters.created_from}`)
  if (filters.created_to) conditions.push(sql`${createdAt} < ${filters.created_to}`)
  if (filters.term) conditions.push(hasTerm(sqlite, filters.term, lead === 'term'))

  return conditions.reduce((query, condition) => query.where(condition), db.selectFrom('users') as Query)
}

function hasTerm(sqlite: boolean, term: string, leads: boolean) {
  if (!sqlite)
    return sql<boolean>`${leads ? sql`users.search_text` : sql`users.search_text || ''`} like ${pattern(term)}`
  return leads
    ? sql<boolean>`users.seq in (select rowid from users_search where users_search match ${phrase(term)})`
    : sql<boolean>`instr(users.search_text, ${term}) > 0`
}

/** A term as one string of FTS5's query language. */
const phrase = (term: string): string => `"${term.replaceAll('"', '""')}"`

/** A term as part of a text, for LIKE. */
const pattern = (term: string): string => `%${term.replace(/[\\%_]/g, '\\$&')}%`
