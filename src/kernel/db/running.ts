import { sql } from 'kysely'
import { timestamp } from '../lib/clock.ts'
import { type Db, engineOf } from './database.ts'
import { DatabaseError } from './errors.ts'

/** The prefix of the names of instance leases. */
export const INSTANCE_PREFIX = 'instance:'

/** Throws DatabaseError that names the running instances, if there are any. */
export async function requireNoInstance(db: Db): Promise<void> {
  const now = engineOf(db) === 'postgres' ? sql<string>`clock_timestamp()` : sql<string>`${timestamp(Date.now())}`
  const running = await db
    .selectFrom('leases')
    .select('holder')
    .where('name', 'like', `${INSTANCE_PREFIX}%`)
    .where('until', '>', now)
    .orderBy('holder')
    .execute()
  if (running.length)
    throw new DatabaseError(
      `${running.length === 1 ? 'an instance is' : `${running.length} instances are`} running on this database (${running.map(({ holder }) => holder).join('; ')}). Stop the service everywhere first; a killed process counts as running for 30 seconds`,
    )
}
