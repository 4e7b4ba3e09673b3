import type { Time } from '../../db/columns.ts'

export interface IdempotencyKeysTable {
  id: string
  request: string
  holder: string
  /** Sealed; null while the request runs. */
  answer: string | null
  /** Until then the key is held, or its answer kept. */
  expires_at: Time
}
