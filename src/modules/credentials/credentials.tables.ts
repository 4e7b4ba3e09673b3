import type { Generated } from 'kysely'
import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    one_time_tokens: OneTimeTokensTable
  }
}

export interface OneTimeTokensTable {
  /** SHA-256 of the token, base64url: what is stored opens nothing. */
  token_hash: string
  user_id: string
  kind: string
  /** The address that the link was sent to. */
  email: string
  /** That of the account when it was asked for. */
  security_version: Generated<number>
  created_at: Time
  expires_at: Time
}
