import type { Database, Db } from '../../kernel/db/database.ts'
import { isUniqueViolation } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Cursors } from '../../kernel/http/pagination/cursors.ts'
import type { Clock } from '../../kernel/lib/clock.ts'
import { timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { cleanName, earlierEmailKey, emailKey, fold, searchTerm, searchText } from './normalization.ts'
import { createPlanner, MAX_SCANNED_ROWS } from './search.plan.ts'
import { type AccessPath, type Filters, hasFilters, type Page, pageOfUsers, pageWithin } from './search.store.ts'
import { toUser, type UserRow } from './user.row.ts'
import { usersErrors } from './users.errors.ts'
import { LIST_DEFAULTS, type ListUsers, type Sort, type UpdateUser, type User } from './users.schemas.ts'
import * as store from './users.store.ts'
import { NEVER } from './users.tables.ts'

export { emailKey } from './normalization.ts'
export { type UserRow, userEtag } from './user.row.ts'

interface NewUser {
  email: string
  name: string
  /** Null for a user who sets a password with a link. */
  passwordHash: string | null
  role?: 'user' | 'admin' | undefined
  is_active?: boolean | undefined
  email_verified?: boolean | undefined
  locale: 'ru' | 'en'
}

const COLUMNS: Record<Sort, Page['column']> = {
  created_at: 'created_at',
  email: 'email_key',
  name: 'name_key',
  last_login_at: 'last_login_at',
}

/**
 * Accounts: creates, finds, changes and deletes them. Functions that take `trx` first run in the transaction of the
 * caller.
 */
export function createUsers({ database, clock, cursors }: { database: Database; clock: Clock; cursors: Cursors }) {
  const planner = createPlanner(clock)

  /** Throws AppError `email_taken`. */
  async function create(trx: Db, input: NewUser): Promise<UserRow> {
    const now = timestamp(clock.now())
    const name = cleanName(input.name)
    const row = {
      id: newId(clock.now()),
      email: input.email,
      name,
      password_hash: input.passwordHash,
      role: input.role ?? 'user',
      is_active: input.is_active ?? true,
      email_verified: input.email_verified ?? false,
      locale: input.locale,
      created_at: now,
      updated_at: now,
      last_login_at: NEVER,
    }
    await refuseEarlierKey(trx, input.email, row.id)
    await refuseTaken(() => store.insertUser(trx, { ...row, ...keys(input.email, name) }))
    return { ...row, version: 1, security_version: 0, delete_after: null }
  }

  /**
   * Changes a user. `null`, absent and unchanged fields are ignored; `fields` lists the others.
   * Throws AppError `not_found`, `precondition_failed`, `email_taken`, `last_admin`.
   * @param versions the versions accepted by `If-Match`, if given
   */
  async function update(
    trx: Db,
    id: string,
    changes: UpdateUser,
    versions?: readonly number[],
  ): Promise<{ before: UserRow; after: UserRow; fields: string[] }> {
    const before = await lock(trx, id, versions)
    const given = changesOf(before, changes)
    const fields = Object.keys(given)
    if (fields.length === 0) return { before, after: before, fields }
    const losesAdmin = given.role === 'user' || given.is_active === false
    if (losesAdmin) await keepOneAdmin(trx, before)
    // A new address is unverified.
    if (given.email !== undefined && emailKey(given.email) !== emailKey(before.email))
      given.email_verified = changes.email_verified ?? false
    if (given.email !== undefined) await refuseEarlierKey(trx, given.email, id)
    if ((given.email ?? before.email) !== before.email || (before.is_active && given.is_active === false))
      await store.bumpSecurityVersion(trx, id)
    const renamed = given.email !== undefined || given.name !== undefined
    await refuseTaken(() =>
      store.updateUser(
        trx,
        id,
        { ...given, ...(renamed && keys(given.email ?? before.email, given.name ?? before.name)) },
        timestamp(clock.now()),
      ),
    )
    return { before, after: (await store.userById(trx, { id }))[0] as UserRow, fields }
  }

  /** Throws AppError `not_found`, `precondition_failed`, `last_admin`. */
  async function remove(trx: Db, id: string, versions?: readonly number[]): Promise<UserRow> {
    const user = await lock(trx, id, versions)
    await keepOneAdmin(trx, user)
    await store.deleteUser(trx, id)
    return user
  }

  async function lock(trx: Db, id: string, versions?: readonly number[]): Promise<UserRow> {
    const user = await store.userForUpdate(trx, id)
    if (!user) throw new AppError(kernelErrors.not_found, { detail: `User ${id} does not exist.` })
    if (versions && !versions.includes(user.version))
      throw new AppError(kernelErrors.precondition_failed, {
        detail: `The current version of the user is "${user.version}".`,
      })
    return user
  }

  /** Throws AppError `email_taken` if another account has the address under its earlier key. */
  async function refuseEarlierKey(trx: Db, email: string, id: string): Promise<void> {
    const earlier = earlierEmailKey(email)
    if (earlier === emailKey(email)) return
    const [holder] = await store.userByEmail(trx, { email_key: earlier })
    if (holder && holder.id !== id) throw new AppError(usersErrors.email_taken)
  }

  async function byEmail(email: string, db: Db = database.db): Promise<UserRow | undefined> {
    const [key, earlier] = [emailKey(email), earlierEmailKey(email)]
    if (earlier !== key) {
      const [user] = await store.userByEmail(db, { email_key: earlier })
      if (user) return user
    }
    return (await store.userByEmail(db, { email_key: key }))[0]
  }

  async function keepOneAdmin(trx: Db, user: UserRow): Promise<void> {
    const isActiveAdmin = user.role === 'admin' && user.is_active
    if (isActiveAdmin && (await store.countOtherAdmins(trx, user.id)) === 0) throw new AppError(usersErrors.last_admin)
  }

  /** Returns one page. Throws AppError `invalid_cursor`. */
  async function list(
    query: ListUsers,
  ): Promise<{ users: User[]; total: number; page: number; limit: number; next_cursor: string | null }> {
    const { sort: order, limit, page } = { ...LIST_DEFAULTS, ...query }
    const after = query.cursor ? cursors.decode(query.cursor, order) : null
    const filters: Filters = {
      term: searchTerm(query.q ?? ''),
      role: query.role,
      is_active: query.is_active,
      email_verified: query.email_verified,
      created_from: query.created_from && timestamp(Date.parse(query.created_from)),
      created_to: query.created_to && timestamp(Date.parse(query.created_to)),
    }
    const { total, path } = await planner.of(database.reads, filters)
    const rows = await pageBy(path, filters, {
      column: COLUMNS[order.replace('-', '') as Sort],
      direction: order.startsWith('-') ? 'desc' : 'asc',
      limit: limit + 1,
      offset: (page - 1) * limit,
      after,
    })
    const current = after?.page ?? page
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return {
      users: rows.slice(0, limit).map(toUser),
      total,
      page: current,
      limit,
      next_cursor: last
        ? cursors.encode({ sort: order, value: last.sort_value, id: last.id, page: current + 1 })
        : null,
    }
  }

  async function pageBy(path: AccessPath, filters: Filters, page: Page) {
    const db = database.reads
    const isUnfiltered = !filters.term && !hasFilters(filters)
    if (path !== 'order' || isUnfiltered) return pageOfUsers(db, filters, page, path)
    const found = await pageWithin(db, filters, page, MAX_SCANNED_ROWS + page.offset)
    return found ?? pageOfUsers(db, filters, page, await planner.fallback(db, filters))
  }

  const byId = async (id: string, db: Db = database.db) => (await store.userById(db, { id }))[0]

  /** Reads a user and locks it, if it exists. */
  const lockIfExists = (trx: Db, id: string) => store.userForUpdate(trx, id)

  /** Invalidates the pending change of an e-mail. */
  const bumpSecurityVersion = (trx: Db, id: string) => store.bumpSecurityVersion(trx, id)

  const touchLogin = (trx: Db, id: string, now: string) => store.touchLogin(trx, { id, now })

  /** Stores a hash with the current parameters. `version` stays, because nothing visible changes. */
  const rehash = (trx: Db, id: string, hash: string) => store.setPasswordHash(trx, id, hash)

  /** Schedules the deletion of an account. Throws AppError `last_admin`. */
  async function scheduleDeletion(trx: Db, id: string, at: string): Promise<void> {
    await keepOneAdmin(trx, await lock(trx, id))
    await store.updateUser(trx, id, { delete_after: at }, timestamp(clock.now()))
  }

  const cancelDeletion = (trx: Db, id: string) =>
    store.updateUser(trx, id, { delete_after: null }, timestamp(clock.now()))

  /** Returns users whose deletion is due. */
  const dueForDeletion = (limit: number) => store.usersToDelete(database.db, timestamp(clock.now()), limit)

  /** Marks an address as verified unless the user has another one by now. Returns whether it is still theirs. */
  const verifyEmail = (trx: Db, id: string, email: string): Promise<boolean> =>
    store.verifyEmail(trx, id, email, timestamp(clock.now()))

  async function setPassword(trx: Db, id: string, hash: string): Promise<void> {
    await store.updateUser(trx, id, { password_hash: hash }, timestamp(clock.now()))
    await store.bumpSecurityVersion(trx, id)
  }

  return {
    create,
    update,
    remove,
    list,
    lock,
    lockAll: store.lockUsers,
    toUser,
    byId,
    byEmail,
    lockIfExists,
    bumpSecurityVersion,
    touchLogin,
    rehash,
    scheduleDeletion,
    cancelDeletion,
    dueForDeletion,
    verifyEmail,
    setPassword,
  }
}

export type Users = ReturnType<typeof createUsers>

const keys = (email: string, name: string) => ({
  email_key: emailKey(email),
  name_key: fold(name),
  search_text: searchText(email, name),
})

type Changes = { [K in keyof UpdateUser]?: NonNullable<UpdateUser[K]> }

/** Returns the fields that change a user: neither null nor equal to the stored value. */
function changesOf(user: UserRow, { name, ...others }: UpdateUser): Changes {
  const wanted = { ...others, ...(typeof name === 'string' && { name: cleanName(name) }) }
  const changed = Object.entries(wanted).filter(([field, value]) => {
    const now = user[field as keyof UpdateUser]
    return value !== null && value !== undefined && value !== (typeof value === 'boolean' ? Boolean(now) : now)
  })
  return Object.fromEntries(changed) as Changes
}

async function refuseTaken<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isUniqueViolation(error, 'email_key')) throw new AppError(usersErrors.email_taken)
    throw error
  }
}
