import type { Database, Db } from '../../kernel/db/database.ts'
import { isUniqueViolation } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Cursors } from '../../kernel/http/pagination/cursors.ts'
import type { Clock } from '../../kernel/lib/clock.ts'
import { timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { cleanName, earlierEmailKey, emailKey, fold, searchTerm, searchText } from './normalization.ts'
import { createPlanner, MAX_WALKED_ROWS } from './search.plan.ts'
import { type AccessPath, type Filters, hasFilters, type Page, pageOfUsers, pageWithin } from './search.store.ts'
import { toUser, type UserRow } from './user.row.ts'
import { usersErrors } from './users.errors.ts'
import type { ListUsers, Sort, UpdateUser, User } from './users.schemas.ts'
import * as store from './users.store.ts'
import { NEVER } from './users.tables.ts'

export { emailKey } from './normalization.ts'
export { type UserRow, userEtag } from './user.row.ts'

interface NewUser {
  email: string
  name: string
  /** Already hashed; null for one who sets a password by a link. */
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

/** People: made, found, changed and removed. Functions that take `trx` first leave the transaction to their caller. */
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
    await refuseEarlier(trx, input.email, row.id)
    await refuseTaken(() => store.insertUser(trx, { ...row, ...keys(input.email, name) }))
    return { ...row, version: 1, security_version: 0, delete_after: null }
  }

  /**
   * Changes a user; `null` and absent fields stay. `versions` are those that the caller has seen, where it says so. What
   * is as it was changes nothing, and `fields` names the rest. Throws AppError `not_found`, `precondition_failed`, `email_taken`, `last_admin`.
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
    const leavesAdmins = given.role === 'user' || given.is_active === false
    if (leavesAdmins) await keepOneAdmin(trx, before)
    // Another address is not verified by the old one’s verification.
    if (given.email !== undefined && emailKey(given.email) !== emailKey(before.email))
      given.email_verified = changes.email_verified ?? false
    if (given.email !== undefined) await refuseEarlier(trx, given.email, id)
    if ((given.email ?? before.email) !== before.email || (before.is_active && given.is_active === false))
      await store.countSecurityVersion(trx, id)
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

  /** Throws AppError `email_taken` where another account has the address under its earlier key. */
  async function refuseEarlier(trx: Db, email: string, id: string): Promise<void> {
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
    const counts = user.role === 'admin' && user.is_active
    if (counts && (await store.otherAdmins(trx, user.id)) === 0) throw new AppError(usersErrors.last_admin)
  }

  /** One page. Throws AppError `invalid_cursor`. */
  async function list(
    query: ListUsers,
  ): Promise<{ users: User[]; total: number; page: number; limit: number; next_cursor: string | null }> {
    const { sort: order = '-created_at', limit = 20, page = 1 } = query
    const after = query.cursor ? cursors.decode(query.cursor, order) : null
    const filters: Filters = {
      term: searchTerm(query.q ?? ''),
      role: query.role,
      is_active: query.is_active,
      email_verified: query.email_verified,
      created_from: query.created_from && timestamp(Date.parse(query.created_from)),
      created_to: query.created_to && timestamp(Date.parse(query.created_to)),
    }
    const { total, lead } = await planner.of(database.reads, filters)
    const rows = await pageBy(lead, filters, {
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

  async function pageBy(lead: AccessPath, filters: Filters, page: Page) {
    const db = database.reads
    const isBare = !filters.term && !hasFilters(filters)
    if (lead !== 'order' || isBare) return pageOfUsers(db, filters, page, lead)
    const soon = await pageWithin(db, filters, page, MAX_WALKED_ROWS + page.offset)
    return soon ?? pageOfUsers(db, filters, page, await planner.instead(db, filters))
  }

  const byId = async (id: string, db: Db = database.db) => (await store.userById(db, { id }))[0]

  /** Reads a user and keeps others from changing it, as `lock` does, where there is one. */
  const lockIfThere = (trx: Db, id: string) => store.userForUpdate(trx, id)

  /** Makes the pending change of an e-mail worthless. */
  const bumpSecurityVersion = (trx: Db, id: string) => store.countSecurityVersion(trx, id)

  const touchLogin = (trx: Db, id: string, now: string) => store.touchLogin(trx, { id, now })

  /** Keeps a hash made with better parameters; nothing that anybody could see has changed. */
  const rehash = (trx: Db, id: string, hash: string) => store.setPasswordHash(trx, id, hash)

  /** Marks an account to be deleted at a time. Throws AppError `last_admin`. */
  async function deleteLater(trx: Db, id: string, at: string): Promise<void> {
    await keepOneAdmin(trx, await lock(trx, id))
    await store.updateUser(trx, id, { delete_after: at }, timestamp(clock.now()))
  }

  const cancelDeletion = (trx: Db, id: string) =>
    store.updateUser(trx, id, { delete_after: null }, timestamp(clock.now()))

  /** Users whose time to be deleted has come. */
  const dueForDeletion = (limit: number) => store.usersToDelete(database.db, timestamp(clock.now()), limit)

  /** Verifies the address that was proved, and no other that has come meanwhile. Tells whether the user still has it. */
  const verifyEmail = (trx: Db, id: string, email: string): Promise<boolean> =>
    store.verifyEmail(trx, id, email, timestamp(clock.now()))

  async function setPassword(trx: Db, id: string, hash: string): Promise<void> {
    await store.updateUser(trx, id, { password_hash: hash }, timestamp(clock.now()))
    await store.countSecurityVersion(trx, id)
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
    lockIfThere,
    bumpSecurityVersion,
    touchLogin,
    rehash,
    deleteLater,
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

/** What of a request really changes a user: neither nulls nor what is so already. */
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
