import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    known_devices: KnownDevicesTable
    throttles: ThrottlesTable
  }
}

/** Counts of failures and uses. */
export interface ThrottlesTable {
  /** The policy, and a keyed fingerprint of what it is counted by, or an id. */
  key: string
  count: number
  last_at: Time
  /** When the count expires. */
  expires_at: Time
}

/** Devices that have signed in to an account, and have a token to prove it: `known-devices.ts`. */
export interface KnownDevicesTable {
  user_id: string
  /** The id in the tokens of the device. */
  device: string
  first_seen: Time
  last_seen: Time
}
