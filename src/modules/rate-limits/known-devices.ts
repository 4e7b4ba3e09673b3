import { createMac } from '../../kernel/crypto/mac.ts'
import type { Db } from '../../kernel/db/database.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import { ID_BYTES, idAt } from '../../kernel/lib/ids.ts'
import * as store from './rate-limits.store.ts'

/** A further one makes the user forget the device that was used longest ago. */
export const MAX_DEVICES_PER_USER = 20

/** A longer text is not decoded at all. */
const MAX_TOKEN_LENGTH = 128

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
  const { sign, verify } = createMac(keys)

  const encode = ({ userId, device }: DeviceClaims): string =>
    sign(Buffer.from((userId + device).replaceAll('-', ''), 'hex'))

  /** What a token says, or null when it is not one of ours. */
  function decode(token: string): DeviceClaims | null {
    const body = token.length > MAX_TOKEN_LENGTH ? null : verify(token)
    return body?.length === 2 * ID_BYTES ? { userId: idAt(body, 0), device: idAt(body, ID_BYTES) } : null
  }

  /** From now on, the device is one that has signed in to the account. The one used longest ago makes room for it. */
  async function remember(trx: Db, { userId, device }: DeviceClaims): Promise<void> {
    await store.rememberDevice(trx, userId, device, timestamp(clock.now()))
    await store.forgetOldestDevices(trx, userId, { newest: device, kept: MAX_DEVICES_PER_USER - 1 })
  }

  /** The device is in use. One that is not known does not become so. */
  const touch = (trx: Db, { userId, device }: DeviceClaims) =>
    store.touchDevice(trx, userId, device, timestamp(clock.now()))

  return { encode, decode, remember, touch, forgetAll: store.forgetDevices }
}

export type KnownDevices = ReturnType<typeof createKnownDevices>
