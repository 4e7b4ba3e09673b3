import type { KeyObject } from 'node:crypto'
import Type from 'typebox'
import { fingerprint } from '../../kernel/crypto/secrets.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import { Strict, Time } from '../../kernel/http/schemas.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import type { Declaration } from '../../kernel/lib/declaration.ts'
import { onePage } from '../../kernel/lib/json-text.ts'
import { type Attempt, type AttemptLimit, type AttemptLimits, createLoginAttempts } from './login-attempts.ts'
import {
  type AttemptPolicy,
  CONFIRMATION,
  DEVICE_RETENTION_MS,
  LOGIN,
  LOGIN_ADDRESS,
  LOGIN_SITE,
  type WindowPolicy,
} from './policies.ts'
import * as store from './rate-limits.store.ts'
import { createWindows } from './windows.ts'

export type RateLimits = ReturnType<typeof createRateLimits>

/** Who tries to sign in. */
export interface LoginCaller {
  emailKey: string
  /** Null for an unknown e-mail. */
  userId: string | null
  /** The devices of this user whose tokens the request contains, the strongest proof first. */
  devices: string[]
  origin: Pick<Origin, 'network' | 'site'>
}

/** No user's id: unknown e-mails cause the same query as known ones. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Limits password attempts and other actions. E-mails and addresses are stored as keyed fingerprints:
 * docs/decisions/0015.
 */
export function createRateLimits({ database, clock, key }: { database: Database; clock: Clock; key: KeyObject }) {
  const attempts = createLoginAttempts({ database, clock })
  const windows = createWindows({ database, clock })
  const fingerprintOf = (text: string) => fingerprint(key, text)
  const accountKey = (emailKey: string) => `login:${fingerprintOf(emailKey)}`
  const confirmationKey = (userId: string) => `password:${userId}`

  const limitOf = (rows: store.CountRow[], key: string, policy: AttemptPolicy, countsOnly = false): AttemptLimit => {
    const row = rows.find((row) => row.key === key && row.expires_at > timestamp(clock.now()))
    return { key, policy, failures: row?.count ?? 0, lastAt: row ? Date.parse(row.last_at) : 0, countsOnly }
  }

  /**
   * Begins an attempt to sign in. A known device has its own limit; all others share one for the account, and those of
   * their networks (docs/decisions/0012). Throws AppError `rate_limited`.
   */
  async function beginLogin({ emailKey, userId, devices, origin: { network, site } }: LoginCaller): Promise<Attempt> {
    const account = accountKey(emailKey)
    const address = `login-address:${network ? fingerprintOf(network) : ''}`
    const siteKey = `login-site:${site ? fingerprintOf(site) : ''}`
    const [device_1, device_2, device_3] = Array.from(
      { length: store.MAX_CLAIMED_DEVICES },
      (_, number) => devices[number] ?? NOBODY,
    ) as [string, string, string]
    const deviceKey = (device: string) => `${account}:${device}`
    const read = async () => {
      const rows = await store.countsAndDevices(database.db, {
        account,
        address,
        site: siteKey,
        user_id: userId ?? NOBODY,
        ...{ device_1, device_2, device_3 },
        ...{ key_1: deviceKey(device_1), key_2: deviceKey(device_2), key_3: deviceKey(device_3) },
      })
      const device = devices.find((device) => rows.some(({ key }) => key === device)) ?? null
      const limits: AttemptLimits = [
        limitOf(rows, device ? deviceKey(device) : account, LOGIN),
        ...(network ? [limitOf(rows, address, LOGIN_ADDRESS, device !== null)] : []),
        ...(site ? [limitOf(rows, siteKey, LOGIN_SITE, device !== null)] : []),
      ]
      return { limits, device }
    }
    return attempts.begin(read)
  }

  /** Begins an attempt of a signed-in user to confirm an action with the password. Throws AppError `rate_limited`. */
  const beginConfirmation = (userId: string): Promise<Attempt> => {
    const key = confirmationKey(userId)
    return attempts.begin(async () => ({
      limits: [limitOf(await store.countOf(database.db, { key }), key, CONFIRMATION)],
      device: null,
    }))
  }

  /** Clears all failures of an account after a new password. */
  async function clearAccount(trx: Db, { emailKey, userId }: { emailKey: string; userId: string }): Promise<void> {
    await store.clearAll(trx, accountKey(emailKey))
    await store.clear(trx, confirmationKey(userId))
  }

  /**
   * Counts one use by a key within a policy. Returns the RateLimit headers of the response.
   * Throws AppError `rate_limited`.
   */
  const limit = (policy: WindowPolicy, by: string) => windows.use(policy, `${policy.name}:${fingerprintOf(by)}`)

  /** Counts one use in a transaction. Returns whether it was within the quota. */
  const take = (trx: Db, policy: WindowPolicy, by: string) =>
    windows.take(trx, policy, `${policy.name}:${fingerprintOf(by)}`)

  return {
    beginLogin,
    beginConfirmation,
    clearAccount,
    limit,
    take,
    declares: {
      retention: {
        throttles: (limit) => store.deleteExpired(database.db, timestamp(clock.now()), limit),
        known_devices: (limit) =>
          store.deleteForgotten(database.db, timestamp(clock.now() - DEVICE_RETENTION_MS), limit),
      },
      personalData: {
        known_devices: {
          schema: Type.Array(Strict({ first_seen: Time, last_seen: Time })),
          pages: ({ id }) => onePage(() => store.devicesOf(database.reads, id)),
        },
      },
    } satisfies Declaration,
  }
}
