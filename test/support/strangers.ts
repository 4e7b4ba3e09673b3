import type { StartOptions, TestApp } from './app.ts'
import { PASSWORD } from './app.ts'
import type { TestClock } from './clock.ts'

/** A clock that only the test moves: what is counted in seconds can then be told exactly. */
export function createFrozenClock(): TestClock {
  let now = Date.now()
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

/** The address of a stranger: one of a million. */
export const address = (number: number): string => `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`

export const WRONG = 'a walk along the wrong river'

/** Tries to sign in from an address. */
export const tryFrom = (
  { api }: Pick<TestApp, 'api'>,
  ip: string,
  email: string,
  password = WRONG,
  headers: Record<string, string> = {},
) =>
  api.post('/api/v1/auth/login', {
    body: { email, password },
    headers: { 'x-forwarded-for': ip, 'user-agent': 'stranger', ...headers },
  })

/** The device that somebody has: the same one wherever it is. */
export const DEVICE = { 'x-device-id': '4f6f1d7e-93c1-4b0e-9d7f-6a5a3a9d2f10', 'user-agent': 'the app' }

/** The owner tries to sign in on that device. */
export const ownerTries = (app: Pick<TestApp, 'api'>, email: string, password = PASSWORD, ip = '192.0.2.1') =>
  tryFrom(app, ip, email, password, DEVICE)

/** What a second instance needs to run beside an app: its database and its clock. */
export const beside = (app: TestApp): StartOptions => {
  const { database } = app.config
  return behindProxy({
    clock: app.clock,
    env: { DATABASE_URL: database.engine === 'sqlite' ? `sqlite:${database.file}` : database.url },
  })
}
