import type { Time } from '../../db/columns.ts'

export interface IdempotencyKeysTable {
  id: string
  request: string
  holder: string
  /** The encrypted response; null while the request runs. */
  answer: string | null
  /** When the claim or the stored response expires. */
  expires_at: Time
}
