import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import type { Users } from '../users/users.service.ts'
import { sessionsErrors } from './sessions.errors.ts'
import { type IdentityRow, stateForUpdate } from './sessions.store.ts'

/** A signed-in user, and the session by which they ask. */
export type Caller = Pick<IdentityRow, 'id' | 'session_id'>

interface Parts {
  database: Database
  users: Pick<Users, 'lockAll'>
  isAlive: (identity: IdentityRow, expiresAt: number) => boolean
}

/**
 * Every write of a signed-in caller is a transaction that reads its caller first. User and session stay locked until it
 * ends, so whatever took a right away before is seen, and whatever takes it away later waits: a request never acts on a
 * right that was lost while its body arrived or its password was hashed (docs/decisions/0011).
 */
export function createActing({ database, users, isAlive }: Parts) {
  /**
   * Runs `work` in a transaction of a caller, with who they are now. `target` is the user whom it changes, where that is
   * another: both are locked at once, in the order of their ids, so that two who edit each other do not wait for ever.
   * Throws AppError `session_ended`.
   */
  async function actAs<T>(
    caller: Caller,
    work: (trx: Db, present: IdentityRow) => Promise<T>,
    target?: string,
  ): Promise<T> {
    return database.transaction(async (trx) => {
      await users.lockAll(trx, target === undefined ? [caller.id] : [caller.id, target])
      const present = await stateForUpdate(trx, caller.session_id)
      if (present?.id !== caller.id || !isAlive(present, Date.parse(present.expires_at)))
        throw new AppError(sessionsErrors.session_ended)
      return work(trx, present)
    })
  }

  /**
   * The same for what only an administrator may do, or whoever runs the machine.
   * Throws AppError `forbidden`, `session_ended`.
   */
  async function administer<T>({ actor }: Origin, work: (trx: Db) => Promise<T>, target?: string): Promise<T> {
    if (actor.type === 'operator') return database.transaction(work)
    if (actor.type !== 'user' || actor.sessionId === null) throw new AppError(kernelErrors.forbidden)
    const caller = { id: actor.id, session_id: actor.sessionId }
    return actAs(
      caller,
      (trx, { role }) => {
        if (role !== 'admin') throw new AppError(kernelErrors.forbidden)
        return work(trx)
      },
      target,
    )
  }

  return { actAs, administer }
}
