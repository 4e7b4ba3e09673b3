import type { Generated } from 'kysely'
import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    one_time_tokens: OneTimeTokensTable
  }
}

export interface OneTimeTokensTable {
  /** SHA-256 of the token, base64url: the stored value cannot be used as a token. */
  token_hash: string
  user_id: string
  kind: string
  /** The address that the link was sent to. */
  email: string
  /** The `security_version` of the account when the link was created. */
  security_version: Generated<number>
  created_at: Time
  expires_at: Time
}
