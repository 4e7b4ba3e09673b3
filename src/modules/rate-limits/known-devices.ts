import { createMac } from '../../kernel/crypto/mac.ts'
import type { Db } from '../../kernel/db/database.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import { ID_BYTES, idAt } from '../../kernel/lib/ids.ts'
import * as store from './rate-limits.store.ts'

/** A further device replaces the least recently used one. */
export const MAX_DEVICES_PER_USER = 20

/** Longer texts are not decoded. */
const MAX_TOKEN_LENGTH = 128

/** The claims of a device token. */
export interface DeviceClaims {
  userId: string
  device: string
}

/**
 * Devices that have signed in to an account. Their tokens contain the ids of user and device and an HMAC-SHA256,
 * base64url, 86 characters, and are valid while the device is known: docs/decisions/0012.
 */
export function createKnownDevices({ clock, keys }: { clock: Clock; keys: Buffer[] }) {
  const { sign, verify } = createMac(keys)

  const encode = ({ userId, device }: DeviceClaims): string =>
    sign(Buffer.from((userId + device).replaceAll('-', ''), 'hex'))

  /** Returns the claims of a token, or null if it is invalid. */
  function decode(token: string): DeviceClaims | null {
    const body = token.length > MAX_TOKEN_LENGTH ? null : verify(token)
    return body?.length === 2 * ID_BYTES ? { userId: idAt(body, 0), device: idAt(body, ID_BYTES) } : null
  }

  /** Marks a device as known, and forgets the least recently used one beyond MAX_DEVICES_PER_USER. */
  async function remember(trx: Db, { userId, device }: DeviceClaims): Promise<void> {
    await store.rememberDevice(trx, { user_id: userId, device, now: timestamp(clock.now()) })
    await store.forgetOldestDevices(trx, userId, { newest: device, kept: MAX_DEVICES_PER_USER - 1 })
  }

  /** Records that a known device is in use. Has no effect on other devices. */
  const touch = (trx: Db, { userId, device }: DeviceClaims) =>
    store.touchDevice(trx, userId, device, timestamp(clock.now()))

  return { encode, decode, remember, touch, forgetAll: store.forgetDevices }
}

export type KnownDevices = ReturnType<typeof createKnownDevices>
