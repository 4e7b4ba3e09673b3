import type { Database } from '../../kernel/db/database.ts'
import type { Identity } from '../sessions/sessions.service.ts'
import type { Users } from '../users/users.service.ts'
import type { UpdateProfile } from './account.schemas.ts'

/** What people do with their own account. */
export function createAccount({ database, users }: { database: Database; users: Users }) {
  return {
    profile: (caller: Identity) => users.toUser(caller),
    /** Throws AppError `precondition_failed`. */
    async updateProfile(caller: Identity, changes: UpdateProfile, version?: number) {
      const { after } = await database.transaction((trx) => users.update(trx, caller.id, changes, version))
      return { profile: users.toUser(after), version: after.version }
    },
  }
}

export type Account = ReturnType<typeof createAccount>
