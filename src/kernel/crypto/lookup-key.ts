import { createSecretKey, type KeyObject } from 'node:crypto'
import { sql } from 'kysely'
import type { Database, Db } from '../db/database.ts'
import { isUnavailable } from '../db/errors.ts'
import { type Clock, timestamp } from '../lib/clock.ts'
import { createSealer } from './sealer.ts'
import type { Keys } from './secrets.ts'

interface StoredKey {
  secretId: string
  key: Buffer
  createdAt: string
}

/**
 * Returns the key of fingerprints, which stays the same on all instances and through a rotation of secrets. It is
 * stored in the database, encrypted once for each current secret.
 * @see docs/decisions/0015-lookup-key.md
 */
export async function loadLookupKey(database: Database, clock: Clock, keys: Keys): Promise<KeyObject> {
  return createSecretKey(await load(database, clock, keys))
}

async function load(database: Database, clock: Clock, keys: Keys): Promise<Buffer> {
  const known = await read(database.db, keys)
  const [oldest] = known
  if (oldest && isComplete(known, keys)) return oldest.key
  return ensureStored(database, clock, keys).catch((error) => {
    // Start although the database cannot be written at the moment; the next start stores the key.
    if (isUnavailable(error)) return oldest?.key ?? firstOf(keys)
    throw error
  })
}

/** Stores the shared key encrypted under every current secret. Returns it. */
function ensureStored(database: Database, clock: Clock, keys: Keys): Promise<Buffer> {
  return database.transaction(async (trx) => {
    // Instances that start together must choose one key. In SQLite, the transaction holds the write lock.
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

/** Returns the stored keys that a current secret decrypts, oldest first. */
async function read(db: Db, keys: Keys): Promise<StoredKey[]> {
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

const isComplete = (known: StoredKey[], { secretIds }: Keys): boolean =>
  known.length === secretIds.length && known.every(({ key }) => known[0]?.key.equals(key))

const firstOf = (keys: Keys): Buffer => keys.of('lookup')[0] as Buffer

const sealerOf = (keys: Keys, index: number) => createSealer([keys.of('sealing')[index] as Buffer])
