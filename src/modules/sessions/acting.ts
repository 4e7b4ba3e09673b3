import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import type { Users } from '../users/users.service.ts'
import { sessionsErrors } from './sessions.errors.ts'
import { type IdentityRow, stateForUpdate } from './sessions.store.ts'

/** A signed-in user and their session. */
export type Caller = Pick<IdentityRow, 'id' | 'session_id'>

interface Parts {
  database: Database
  users: Pick<Users, 'lockAll'>
  isAlive: (identity: IdentityRow, expiresAt: number) => boolean
}

/**
 * Transactions of signed-in callers. They read and lock the caller first, so that a permission revoked before is
 * noticed and a later revocation waits: docs/decisions/0011.
 */
export function createActing({ database, users, isAlive }: Parts) {
  /**
   * Runs `work` in a transaction with the current state of the caller. Throws AppError `session_ended`.
   * @param target another user whom `work` changes: both are locked in the order of their ids, to avoid deadlocks
   */
  async function actAs<T>(
    caller: Caller,
    work: (trx: Db, current: IdentityRow) => Promise<T>,
    target?: string,
  ): Promise<T> {
    return database.transaction(async (trx) => {
      await users.lockAll(trx, target === undefined ? [caller.id] : [caller.id, target])
      const current = await stateForUpdate(trx, caller.session_id)
      if (current?.id !== caller.id || !isAlive(current, Date.parse(current.expires_at)))
        throw new AppError(sessionsErrors.session_ended)
      return work(trx, current)
    })
  }

  /** Runs `work` in a transaction of an administrator or the operator. Throws AppError `forbidden`, `session_ended`. */
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
