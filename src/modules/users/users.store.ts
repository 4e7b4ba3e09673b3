import { type Insertable, type SelectQueryBuilder, sql, type Updateable } from 'kysely'
import { type Db, engineOf, hot } from '../../kernel/db/database.ts'
import type { Tables, UsersTable } from '../../kernel/db/schema.ts'
import { USER_COLUMNS, type UserRow } from './user.row.ts'

export const userById = hot<{ id: string }, UserRow>('user_by_id', (db, p) =>
  db.selectFrom('users').select(USER_COLUMNS).where('users.id', '=', p('id')),
)

export const userByEmail = hot<{ email_key: string }, UserRow>('user_by_email', (db, p) =>
  db.selectFrom('users').select(USER_COLUMNS).where('users.email_key', '=', p('email_key')),
)

export const insertUser = (db: Db, user: Insertable<UsersTable>) => db.insertInto('users').values(user).execute()

export type UserChanges = Omit<Updateable<UsersTable>, 'id' | 'version' | 'created_at' | 'updated_at'>

/** Changes a user and counts its version up. */
export const updateUser = (db: Db, id: string, changes: UserChanges, now: string) =>
  db
    .updateTable('users')
    .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .execute()

/** The last login is no change that anybody could overwrite, so neither the version nor `updated_at` moves. */
export const touchLogin = hot<{ id: string; now: string }, never>(
  'user_touch_login',
  (db, p) =>
    db
      .updateTable('users')
      .set({ last_login_at: p('now') })
      .where('id', '=', p('id')) as never,
)

export const setPasswordHash = (db: Db, id: string, password_hash: string) =>
  db.updateTable('users').set({ password_hash }).where('id', '=', id).execute()

export const deleteUser = (db: Db, id: string) => db.deleteFrom('users').where('id', '=', id).execute()

export const usersToDelete = (db: Db, now: string, limit: number): Promise<UserRow[]> =>
  db.selectFrom('users').select(USER_COLUMNS).where('delete_after', '<=', now).limit(limit).execute()

/** Reads a user and keeps others from changing it until the transaction ends (SQLite has one writer anyway). */
export async function userForUpdate(trx: Db, id: string): Promise<UserRow | undefined> {
  if (engineOf(trx) === 'sqlite') return (await userById(trx, { id }))[0]
  return trx.selectFrom('users').select(USER_COLUMNS).where('users.id', '=', id).forUpdate().executeTakeFirst()
}

/**
 * How many active administrators there are beside one. They stay locked until the transaction ends: two that leave at
 * once must not each see the other as the one who stays.
 */
export async function otherAdmins(trx: Db, id: string): Promise<number> {
  const query = trx
    .selectFrom('users')
    .select(['id'])
    .where('role', '=', 'admin')
    .where('is_active', '=', true)
    .where('delete_after', 'is', null)
    .orderBy('id')
  const admins = await (engineOf(trx) === 'postgres' ? query.forUpdate() : query).execute()
  return admins.filter((admin) => admin.id !== id).length
}

export interface Filters {
  term: string | null
  role?: 'user' | 'admin' | undefined
  is_active?: boolean | undefined
  email_verified?: boolean | undefined
  created_from?: string | undefined
  created_to?: string | undefined
}

type Query = SelectQueryBuilder<Tables, 'users', object>

/** Up to this many matches are counted exactly, and gathered before they are sorted. */
export const COUNTED = 10_000

/** How many users match, counted no further than `COUNTED` + 1. Every filter has an index, which the count reads. */
export async function countUpTo(db: Db, filters: Filters): Promise<number> {
  const some = matching(db, filters, 'by index')
    .select(sql`1`.as('one'))
    .limit(COUNTED + 1)
  const { n } = await db.selectFrom(some.as('some')).select(sql<number>`count(*)`.as('n')).executeTakeFirstOrThrow()
  return Number(n)
}

/** How many users match in all: a few hundredths of a second for a million. */
export async function countAll(db: Db, filters: Filters): Promise<number> {
  const { n } = await matching(db, filters, 'by index').select(sql<number>`count(*)`.as('n')).executeTakeFirstOrThrow()
  return Number(n)
}

export interface Page {
  column: 'created_at' | 'email_key' | 'name_key' | 'last_login_at'
  direction: 'asc' | 'desc'
  limit: number
  offset: number
  after: { value: string; id: string } | null
}

/**
 * One page of the users that match. `few` says that there are at most `COUNTED` of them: they are then found by the
 * index of the filters and sorted. Otherwise the index of the order is walked and the filters are held against each
 * row: with many matches the page is full after a few steps. So neither way reads the table.
 */
export async function pageOfUsers(
  db: Db,
  filters: Filters,
  page: Page,
  few: boolean,
): Promise<(UserRow & { sort_value: string })[]> {
  const { column, direction, limit, offset, after } = page
  const hasFilter = Object.values(filters).some((value) => value !== undefined && value !== null)
  const source =
    few && hasFilter
      ? db
          .with(
            (cte) => cte('found').materialized(),
            () => matching(db, filters, 'by index').selectAll('users'),
          )
          .selectFrom('found as users')
      : matching(db, filters, 'along')
  let query = (source as unknown as Query)
    .select(USER_COLUMNS)
    .select(`users.${column} as sort_value`)
    .orderBy(`users.${column}`, direction)
    .orderBy('users.id', direction)
    .limit(limit)
  if (after) {
    const compare = sql.raw(direction === 'asc' ? '>' : '<')
    query = query.where(
      sql<boolean>`(${sql.ref(`users.${column}`)}, users.id) ${compare} (${after.value}, ${after.id})`,
    )
  } else if (offset) query = query.offset(offset)
  return query.execute() as Promise<(UserRow & { sort_value: string })[]>
}

/**
 * Users under filters. By index: every flag is named, a missing one with all its values, so that the one index over the
 * flags leads to any combination of them. Along another order, or behind a search: `+` keeps SQLite's planner, which has
 * no statistics to go by, from using the filters' index all the same.
 */
function matching(db: Db, filters: Filters, how: 'by index' | 'along'): Query {
  const sqlite = engineOf(db) === 'sqlite'
  const { term } = filters
  const flags = { role: ['user', 'admin'], is_active: [false, true], email_verified: [false, true] } as const
  const names = Object.keys(flags) as (keyof typeof flags)[]
  const led = how === 'by index' && !term
  let query = db.selectFrom('users') as Query
  const where = (condition: ReturnType<typeof sql<boolean>>) => {
    query = query.where(condition)
  }
  for (const name of names) {
    const wanted = filters[name]
    const column = sqlite && !led ? sql`+${sql.ref(`users.${name}`)}` : sql.ref(`users.${name}`)
    if (wanted !== undefined) where(sql`${column} = ${wanted}`)
    else if (led && names.some((other) => filters[other] !== undefined))
      where(sql`${column} in (${sql.join([...flags[name]])})`)
  }
  if (filters.created_from) where(sql`users.created_at >= ${filters.created_from}`)
  if (filters.created_to) where(sql`users.created_at < ${filters.created_to}`)
  if (term && sqlite && how === 'by index') {
    const phrase = `"${term.replaceAll('"', '""')}"`
    where(sql`users.seq in (select rowid from users_search where users_search match ${phrase})`)
  } else if (term && sqlite) where(sql`instr(users.search_text, ${term}) > 0`)
  else if (term) {
    const text = how === 'along' ? sql`users.search_text || ''` : sql`users.search_text`
    where(sql`${text} like ${`%${term.replace(/[\\%_]/g, '\\$&')}%`}`)
  }
  return query
}
