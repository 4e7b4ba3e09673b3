import { type Clock, timestamp } from '../../kernel/clock.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import type { Origin } from '../../kernel/origin.ts'
import type { Verification } from '../../kernel/passwords.ts'
import { fingerprint } from '../../kernel/secrets.ts'
import { type Budget, createGuesses } from './guesses.ts'
import {
  CONFIRMATION,
  DEVICE_MEMORY,
  type GuessPolicy,
  LOGIN,
  LOGIN_ADDRESS,
  LOGIN_SITE,
  type WindowPolicy,
} from './policies.ts'
import * as store from './throttle.store.ts'
import { createWindows } from './windows.ts'

export type Throttle = ReturnType<typeof createThrottle>

/**
 * A check of a password that was let through, the RateLimit headers that its answer carries, and whether the next one has
 * to wait.
 */
export type Checked = Verification & { headers: Record<string, string>; throttled: boolean }

/** Who tries to sign in. */
export interface LoginAttempt {
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
 * Holds up who guesses, and no one else. E-mails and addresses are kept as keyed fingerprints: the tables tell nothing
 * without the secret.
 */
export function createThrottle({ database, clock, key }: { database: Database; clock: Clock; key: Buffer }) {
  const guesses = createGuesses({ database, clock })
  const windows = createWindows({ database, clock })
  const print = (text: string) => fingerprint(key, text)
  const accountKey = (emailKey: string) => `login:${print(emailKey)}`
  const confirmationKey = (userId: string) => `password:${userId}`

  const budget = (rows: store.CountRow[], key: string, policy: GuessPolicy, lenient = false): Budget => {
    const row = rows.find((row) => row.key === key && row.expires_at > timestamp(clock.now()))
    return { key, policy, failures: row?.count ?? 0, lastAt: row ? Date.parse(row.last_at) : 0, lenient }
  }

  /**
   * Checks the password of a sign-in. A device that is proven has a budget of its own, so that no stranger can keep the
   * owner out; all others share one for the account, one for their address, and one for the wider network of that. `check`
   * is told whether the device is proven.
   * Throws AppError `rate_limited`, and what `check` throws.
   */
  async function login(
    { emailKey, userId, devices, origin: { network, site } }: LoginAttempt,
    check: (isProven: boolean) => Promise<Verification>,
  ): Promise<Checked & { device: string | null }> {
    const strangers = accountKey(emailKey)
    const address = `login-address:${network ? print(network) : ''}`
    const wider = `login-site:${site ? print(site) : ''}`
    const [device_1, device_2, device_3] = Array.from(
      { length: store.CLAIMED_DEVICES },
      (_, number) => devices[number] ?? NOBODY,
    ) as [string, string, string]
    const own = (device: string) => `${strangers}:${device}`
    let device: string | null = null
    const checked = await guesses.guess(
      async () => {
        const rows = await store.countsAndDevices(database.db, {
          account: strangers,
          address,
          site: wider,
          user_id: userId ?? NOBODY,
          ...{ device_1, device_2, device_3 },
          ...{ key_1: own(device_1), key_2: own(device_2), key_3: own(device_3) },
        })
        device = devices.find((device) => rows.some(({ key }) => key === device)) ?? null
        return [
          budget(rows, device ? own(device) : strangers, LOGIN),
          ...(network ? [budget(rows, address, LOGIN_ADDRESS, device !== null)] : []),
          ...(site ? [budget(rows, wider, LOGIN_SITE, device !== null)] : []),
        ]
      },
      () => check(device !== null),
    )
    return { ...checked, device }
  }

  return {
    login,
    /**
     * Checks the current password of somebody signed in, asked to confirm a step.
     * Throws AppError `rate_limited`, and what `check` throws.
     */
    confirm: (userId: string, check: () => Promise<Verification>): Promise<Checked> => {
      const key = confirmationKey(userId)
      return guesses.guess(async () => [budget(await store.countOf(database.db, { key }), key, CONFIRMATION)], check)
    },
    /** Forgets all failures: the account has a new password. */
    async clearAccount(trx: Db, { emailKey, userId }: { emailKey: string; userId: string }): Promise<void> {
      await store.clearAll(trx, accountKey(emailKey))
      await store.clear(trx, confirmationKey(userId))
    },
    /**
     * Counts one use of what a policy limits, by whatever it is limited by.
     * Returns the RateLimit headers of the answer. Throws AppError `rate_limited`.
     */
    limit: (policy: WindowPolicy, by: string) => windows.use(policy, `${policy.name}:${print(by)}`),
    /** Counts one use of what a policy limits in a transaction. Tells whether it was within the quota. */
    take: (trx: Db, policy: WindowPolicy, by: string) => windows.take(trx, policy, `${policy.name}:${print(by)}`),
    /** When the devices known to a user were first and last seen, for their export. */
    devicesOf: (userId: string) => store.devicesOf(database.reads, userId),
    /** Deletes up to `limit` counts that have expired. Returns how many. */
    purge: (limit: number) => store.deleteExpired(database.db, timestamp(clock.now()), limit),
    /** Deletes up to `limit` devices that nobody has signed in from for long. Returns how many. */
    purgeDevices: (limit: number) => store.deleteForgotten(database.db, timestamp(clock.now() - DEVICE_MEMORY), limit),
  }
}
