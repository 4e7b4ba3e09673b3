import { HOUR } from '../../src/kernel/lib/clock.ts'
import type { StartOptions, TestApp } from './app.ts'
import { PASSWORD } from './app.ts'
import type { TestClock } from './clock.ts'

/** A clock that only the test moves, from the start of an hour, so that counts per time window are exact. */
export function createFrozenClock(): TestClock {
  let now = Math.floor(Date.now() / HOUR) * HOUR
  return {
    now: () => now,
    advance(milliseconds) {
      now += milliseconds
    },
  }
}

/** An app behind a proxy, so that requests can come from any address. */
export const behindProxy = (more: StartOptions = {}): StartOptions => ({
  clock: createFrozenClock(),
  ...more,
  env: { TRUST_PROXY: '1', ...more.env },
})

/** The client address with a number up to a million. */
export const address = (number: number): string => `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`

export const WRONG = 'a walk along the wrong river'

/** Tries to sign in from an address. */
export const loginFrom = (
  { api }: Pick<TestApp, 'api'>,
  ip: string,
  email: string,
  password = WRONG,
  headers: Record<string, string> = {},
) => api.login({ email, password }, { headers: { 'x-forwarded-for': ip, 'user-agent': 'stranger', ...headers } })

/** The headers of a user's device, in any network. They prove nothing. */
export const DEVICE = { 'x-device-id': '4f6f1d7e-93c1-4b0e-9d7f-6a5a3a9d2f10', 'user-agent': 'the app' }

/** What proves the devices of owners, by e-mail. */
const deviceTokens = new Map<string, string>()

/** The owner tries to sign in on that device, which keeps the token of its last sign-in. */
export async function ownerLogin(app: Pick<TestApp, 'api'>, email: string, password = PASSWORD, ip = '192.0.2.1') {
  const token = deviceTokens.get(email)
  const answer = await loginFrom(app, ip, email, password, { ...DEVICE, ...(token && { 'x-device-token': token }) })
  if (answer.status === 200) deviceTokens.set(email, answer.body.user.device_token)
  return answer
}

/** The owner's device keeps the token that an answer of another kind has brought. */
export const keepDeviceToken = (email: string, deviceToken: string) => void deviceTokens.set(email, deviceToken)

/** What a second instance needs to run beside an app: its database and its clock. */
export const beside = (app: TestApp): StartOptions => {
  const { database } = app.config
  return behindProxy({
    clock: app.clock,
    env: { DATABASE_URL: database.engine === 'sqlite' ? `sqlite:${database.file}` : database.url },
  })
}
