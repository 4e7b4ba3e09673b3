import { sql } from 'kysely'
import type { Database, Db } from '../db/database.ts'
import { isUnavailable } from '../db/errors.ts'
import { type Clock, timestamp } from '../lib/clock.ts'
import { createSealer } from './sealer.ts'
import type { Keys } from './secrets.ts'

interface Known {
  secretId: string
  key: Buffer
  createdAt: string
}

/**
 * The key of all fingerprints, for what is looked up but need not be readable: the same on all instances whatever the order of their secrets, and for ever:
 * what is looked up by it must be found through a rotation. It is derived from the secret that was the first when the
 * database was new, and kept in the database, sealed once for each secret in force, so that any of them opens it.
 *
 * @see docs/decisions/0015-lookup-key.md
 */
export async function loadLookupKey(database: Database, clock: Clock, keys: Keys): Promise<Buffer> {
  const known = await read(database.db, keys)
  const [oldest] = known
  if (oldest && isComplete(known, keys)) return oldest.key
  return share(database, clock, keys).catch((error) => {
    // A database that cannot be written just now is no reason not to start: the next start does it.
    if (isUnavailable(error)) return oldest?.key ?? firstOf(keys)
    throw error
  })
}

/** Sees to it that each secret in force opens the shared key. Returns that. */
function share(database: Database, clock: Clock, keys: Keys): Promise<Buffer> {
  return database.transaction(async (trx) => {
    // Instances that start at once must not each take a key of their own. SQLite's transaction has its lock already.
    if (database.engine === 'postgres') await sql`lock table lookup_keys in share row exclusive mode`.execute(trx)
    const [shared] = await read(trx, keys)
    const { key, createdAt } = shared ?? { key: firstOf(keys), createdAt: timestamp(clock.now()) }
    for (const [index, secretId] of keys.secretIds.entries()) {
      const row = { sealed: sealerOf(keys, index).seal(key.toString('base64url'), secretId), created_at: createdAt }
      await trx
        .insertInto('lookup_keys')
        .values({ secret_id: secretId, ...row })
        .onConflict((conflict) => conflict.column('secret_id').doUpdateSet(row))
        .execute()
    }
    return key
  })
}

/** The keys that secrets in force open, the oldest first. */
async function read(db: Db, keys: Keys): Promise<Known[]> {
  const rows = await db
    .selectFrom('lookup_keys')
    .selectAll()
    .where('secret_id', 'in', keys.secretIds)
    .orderBy('created_at')
    .orderBy('secret_id')
    .execute()
  return rows.flatMap(({ secret_id: secretId, sealed, created_at: createdAt }) => {
    const key = sealerOf(keys, keys.secretIds.indexOf(secretId)).open(sealed, secretId)
    return key === null ? [] : [{ secretId, key: Buffer.from(key, 'base64url'), createdAt }]
  })
}

const isComplete = (known: Known[], { secretIds }: Keys): boolean =>
  known.length === secretIds.length && known.every(({ key }) => known[0]?.key.equals(key))

const firstOf = (keys: Keys): Buffer => keys.of('lookup')[0] as Buffer

const sealerOf = (keys: Keys, index: number) => createSealer([keys.of('sealing')[index] as Buffer])
