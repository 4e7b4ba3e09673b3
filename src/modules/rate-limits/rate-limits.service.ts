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
  /** The devices of this user that the caller shows a token of, the surest first. */
  devices: string[]
  origin: Pick<Origin, 'network' | 'site'>
}

/** Nobody's id: an unknown e-mail asks the database the same as a known one. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Slows down whoever tries passwords, and nobody else. E-mails and addresses are kept as keyed fingerprints: the tables
 * tell nothing without the secret.
 */
export function createRateLimits({ database, clock, key }: { database: Database; clock: Clock; key: Buffer }) {
  const attempts = createLoginAttempts({ database, clock })
  const windows = createWindows({ database, clock })
  const print = (text: string) => fingerprint(key, text)
  const accountKey = (emailKey: string) => `login:${print(emailKey)}`
  const confirmationKey = (userId: string) => `password:${userId}`

  const limitOf = (rows: store.CountRow[], key: string, policy: AttemptPolicy, countsOnly = false): AttemptLimit => {
    const row = rows.find((row) => row.key === key && row.expires_at > timestamp(clock.now()))
    return { key, policy, failures: row?.count ?? 0, lastAt: row ? Date.parse(row.last_at) : 0, countsOnly }
  }

  /**
   * Begins an attempt to sign in. A device that is proven has a limit of its own, so that no stranger can keep the owner
   * out; all others share one for the account, one for their address, and one for the wider network of that.
   * Throws AppError `rate_limited`.
   */
  async function beginLogin({ emailKey, userId, devices, origin: { network, site } }: LoginCaller): Promise<Attempt> {
    const strangers = accountKey(emailKey)
    const address = `login-address:${network ? print(network) : ''}`
    const wider = `login-site:${site ? print(site) : ''}`
    const [device_1, device_2, device_3] = Array.from(
      { length: store.MAX_CLAIMED_DEVICES },
      (_, number) => devices[number] ?? NOBODY,
    ) as [string, string, string]
    const own = (device: string) => `${strangers}:${device}`
    const read = async () => {
      const rows = await store.countsAndDevices(database.db, {
        account: strangers,
        address,
        site: wider,
        user_id: userId ?? NOBODY,
        ...{ device_1, device_2, device_3 },
        ...{ key_1: own(device_1), key_2: own(device_2), key_3: own(device_3) },
      })
      const device = devices.find((device) => rows.some(({ key }) => key === device)) ?? null
      const limits: AttemptLimits = [
        limitOf(rows, device ? own(device) : strangers, LOGIN),
        ...(network ? [limitOf(rows, address, LOGIN_ADDRESS, device !== null)] : []),
        ...(site ? [limitOf(rows, wider, LOGIN_SITE, device !== null)] : []),
      ]
      return { limits, device }
    }
    return attempts.begin(read)
  }

  /** Begins an attempt of somebody signed in to confirm a step by their password. Throws AppError `rate_limited`. */
  const beginConfirmation = (userId: string): Promise<Attempt> => {
    const key = confirmationKey(userId)
    return attempts.begin(async () => ({
      limits: [limitOf(await store.countOf(database.db, { key }), key, CONFIRMATION)],
      device: null,
    }))
  }

  /** Forgets all failures: the account has a new password. */
  async function clearAccount(trx: Db, { emailKey, userId }: { emailKey: string; userId: string }): Promise<void> {
    await store.clearAll(trx, accountKey(emailKey))
    await store.clear(trx, confirmationKey(userId))
  }

  /**
   * Counts one use of what a policy limits, by whatever it is limited by.
   * Returns the RateLimit headers of the answer. Throws AppError `rate_limited`.
   */
  const limit = (policy: WindowPolicy, by: string) => windows.use(policy, `${policy.name}:${print(by)}`)

  /** Counts one use of what a policy limits in a transaction. Tells whether it was within the quota. */
  const take = (trx: Db, policy: WindowPolicy, by: string) => windows.take(trx, policy, `${policy.name}:${print(by)}`)

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
