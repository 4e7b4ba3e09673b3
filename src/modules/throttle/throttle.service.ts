import { type Clock, DAY, timestamp } from '../../kernel/clock.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import type { Device } from '../../kernel/origin.ts'
import type { Verification } from '../../kernel/passwords.ts'
import { fingerprint } from '../../kernel/secrets.ts'
import { type Budget, createGuesses } from './guesses.ts'
import { deviceText, networkOf } from './places.ts'
import { CONFIRMATION, DEVICE_MEMORY, type GuessPolicy, LOGIN, LOGIN_ADDRESS, type WindowPolicy } from './policies.ts'
import * as store from './throttle.store.ts'
import { createWindows } from './windows.ts'

export type Throttle = ReturnType<typeof createThrottle>

/**
 * A check of a password that was let through, the RateLimit headers that its answer carries, and whether the next one has
 * to wait.
 */
export type Checked = Verification & { headers: Record<string, string>; throttled: boolean }

/** Nobody's id: an unknown e-mail asks the database the same as a known one. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Holds up who guesses, and no one else. E-mails, addresses and devices are kept as keyed fingerprints: the tables tell
 * nothing without the secret.
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
   * Checks the password of a sign-in, `userId` being null for an unknown e-mail. A device that has signed in before has
   * a budget of its own, so that no stranger can keep the owner out; all others share one for the account, and one for
   * their address. Throws AppError `rate_limited`, and what `check` throws.
   */
  async function login(
    { emailKey, userId, device }: { emailKey: string; userId: string | null; device: Device },
    check: () => Promise<Verification>,
  ): Promise<Checked & { knownDevice: boolean }> {
    const name = print(deviceText(device))
    const strangers = accountKey(emailKey)
    const own = `${strangers}:${name}`
    const network = networkOf(device.ip)
    const address = `login-address:${network ? print(network) : ''}`
    let knownDevice = false
    const checked = await guesses.guess(async () => {
      const keys = { key_1: strangers, key_2: own, key_3: address }
      const rows = await store.countsAndDevice(database.db, { ...keys, user_id: userId ?? NOBODY, device: name })
      knownDevice = rows.some(({ key }) => key === name)
      const mine = budget(rows, knownDevice ? own : strangers, LOGIN)
      return network ? [mine, budget(rows, address, LOGIN_ADDRESS, knownDevice)] : [mine]
    }, check)
    return { ...checked, knownDevice }
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
    /** From now on, the device is one that has signed in to the account. */
    remember: (trx: Db, userId: string, device: Device): Promise<unknown> => {
      const now = clock.now()
      const name = print(deviceText(device))
      return store.rememberDevice(trx, userId, name, timestamp(now), timestamp(now - DAY))
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
    devicesOf: (userId: string) => store.devicesOf(database.db, userId),
    /** Deletes up to `limit` counts that have expired. Returns how many. */
    purge: (limit: number) => store.deleteExpired(database.db, timestamp(clock.now()), limit),
    /** Deletes up to `limit` devices that nobody has signed in from for long. Returns how many. */
    purgeDevices: (limit: number) => store.deleteForgotten(database.db, timestamp(clock.now() - DEVICE_MEMORY), limit),
  }
}
