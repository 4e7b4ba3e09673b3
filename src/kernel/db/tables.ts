import type { IdempotencyKeysTable } from '../http/idempotency/idempotency.tables.ts'
import type { OutboxTable } from '../mail/outbox.tables.ts'
import type { Time } from './columns.ts'

/** Who does a job that only one instance may do at a time, and until when. */
interface LeasesTable {
  name: string
  holder: string
  until: Time
}

/** The key of fingerprints, sealed with each secret that is or was in force: `lookup-key.ts`. */
interface LookupKeysTable {
  secret_id: string
  sealed: string
  created_at: Time
}

interface SchemaMigrationsTable {
  version: number
  name: string
  checksum: string
  applied_at: Time
  /** The oldest version of the schema whose program may run on this one; the column is missing before migration 10. */
  compatible_from?: number | null
}

/** Every table, by its name: those of the kernel. Each module adds its own, in its `x.tables.ts`. */
export interface Tables {
  idempotency_keys: IdempotencyKeysTable
  leases: LeasesTable
  lookup_keys: LookupKeysTable
  outbox: OutboxTable
  schema_migrations: SchemaMigrationsTable
}
