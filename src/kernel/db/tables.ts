import type { IdempotencyKeysTable } from '../http/idempotency/idempotency.tables.ts'
import type { OutboxTable } from '../mail/outbox.tables.ts'
import type { Time } from './columns.ts'

/** A job that one instance runs at a time, or a running instance. */
interface LeasesTable {
  name: string
  holder: string
  until: Time
}

/** The key of fingerprints, encrypted under each current or earlier secret: `lookup-key.ts`. */
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
  /** The oldest schema version whose program can run on this one; the column does not exist before migration 8. */
  compatible_from?: number | null
}

/** The tables by name: here those of the kernel; modules add theirs in `x.tables.ts`. */
export interface Tables {
  idempotency_keys: IdempotencyKeysTable
  leases: LeasesTable
  lookup_keys: LookupKeysTable
  outbox: OutboxTable
  schema_migrations: SchemaMigrationsTable
}
