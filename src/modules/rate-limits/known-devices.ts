import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Db } from '../../kernel/db/database.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import * as store from './rate-limits.store.ts'

/** A further one makes the user forget the device that was used longest ago. */
export const MAX_DEVICES_PER_USER = 20

const ID_BYTES = 16
const MAC_BYTES = 32
const LENGTH = 2 * ID_BYTES + MAC_BYTES

/** What a device token says: which device of whom. */
export interface DeviceClaims {
  userId: string
  device: string
}

/**
 * Devices that have signed in to an account, each with a token that proves it: the ids of user and device and their
 * HMAC-SHA256, base64url, 86 characters. It counts as long as the device is among those that the user knows.
 */
export function createKnownDevices({ clock, keys }: { clock: Clock; keys: Buffer[] }) {
  const mac = (key: Buffer, body: Buffer) => createHmac('sha256', key).update(body).digest()

  return {
    encode({ userId, device }: DeviceClaims): string {
      const body = Buffer.from((userId + device).replaceAll('-', ''), 'hex')
      return Buffer.concat([body, mac(keys[0] as Buffer, body)]).toString('base64url')
    },
    /** What a token says, or null when it is not one of ours. */
    decode(token: string): DeviceClaims | null {
      const bytes = Buffer.from(token.slice(0, 2 * LENGTH), 'base64url')
      if (bytes.length !== LENGTH || bytes.toString('base64url') !== token) return null
      const [body, tag] = [bytes.subarray(0, LENGTH - MAC_BYTES), bytes.subarray(LENGTH - MAC_BYTES)]
      if (!keys.some((key) => timingSafeEqual(mac(key, body), tag))) return null
      return { userId: idAt(body, 0), device: idAt(body, ID_BYTES) }
    },
    /** From now on, the device is one that has signed in to the account. The one used longest ago makes room for it. */
    async remember(trx: Db, { userId, device }: DeviceClaims): Promise<void> {
      await store.rememberDevice(trx, userId, device, timestamp(clock.now()))
      await store.forgetOldestDevices(trx, userId, { newest: device, kept: MAX_DEVICES_PER_USER - 1 })
    },
    /** The device is in use. One that is not known does not become so. */
    touch: (trx: Db, { userId, device }: DeviceClaims) =>
      store.touchDevice(trx, userId, device, timestamp(clock.now())),
    /** Forgets all devices of a user. What their tokens prove ends with it. */
    forgetAll: (trx: Db, userId: string) => store.forgetDevices(trx, userId),
  }
}

export type KnownDevices = ReturnType<typeof createKnownDevices>

const idAt = (bytes: Buffer, start: number): string =>
  bytes.toString('hex', start, start + ID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
