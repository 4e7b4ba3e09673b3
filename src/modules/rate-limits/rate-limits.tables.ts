import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    known_devices: KnownDevicesTable
    throttles: ThrottlesTable
  }
}

/** How often something failed or was done lately. */
export interface ThrottlesTable {
  /** What is counted, with a keyed fingerprint of whom it is counted for. */
  key: string
  count: number
  last_at: Time
  /** From then on it counts as nothing. */
  expires_at: Time
}

/** Devices that have signed in to an account, and can prove it: `known-devices.ts`. */
export interface KnownDevicesTable {
  user_id: string
  /** An id of ours, which is in the tokens of the device. */
  device: string
  first_seen: Time
  last_seen: Time
}
