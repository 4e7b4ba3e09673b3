import type { Time } from '../db/columns.ts'

export interface OutboxTable {
  id: string
  user_id: string | null
  kind: string
  locale: 'ru' | 'en'
  recipient: string
  /** The template data, encrypted because it may contain a link; null after the e-mail is sent or has failed. */
  payload: string | null
  created_at: Time
  next_try_at: Time
  tries: number
  claimed_until: Time
  sent_at: Time | null
  failed_at: Time | null
  last_error: string | null
}
