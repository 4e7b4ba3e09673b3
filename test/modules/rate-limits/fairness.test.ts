import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { requireStatus } from '../../support/auth-calls.ts'
import { address, DEVICE } from '../../support/login-attempts.ts'
import { type Client, createClient } from '../../support/process-client.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

const ATTACKERS = 80

/** One thread hashes: a few dozen attackers are then what hundreds are for many. */
describe('During a login flood', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-fair-'))
  let server: ServerProcess
  let client: Client
  before(async () => {
    server = await startServer({ DATA_DIR: folder, TRUST_PROXY: '1', HASH_THREADS: '1', LOG_LEVEL: 'error' })
    client = createClient(server.url, { sockets: 256 })
  })
  after(async () => {
    client.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const login = (email: string, ip: string, headers = {}) =>
    client.login({ email }, { headers: { 'x-forwarded-for': ip, ...headers } })
  let people = 0
  async function register() {
    const email = `fair-${++people}@example.org`
    // From an address of its own, and again where the flood of the test before is still being worked off.
    const headers = { 'x-forwarded-for': `198.51.100.${people}` }
    await until(async () => (await client.register({ email }, { headers })).status === 201)
    return email
  }

  /** Logs in to unknown accounts, as many at once as there are attackers, until `work` is done. */
  async function beside(
    ipOf: (number: number, checked: number) => string,
    work: () => Promise<void>,
  ): Promise<number[]> {
    let isOver = false
    let number = 0
    let checked = 0
    const statuses: number[] = []
    const attackers = Array.from({ length: ATTACKERS }, async () => {
      while (!isOver) {
        const { status } = await login(`unknown-${++number}-${Math.random()}@example.org`, ipOf(number, checked))
        statuses.push(status)
        if (status === 401) checked++
        else await pause(20)
      }
    })
    try {
      await until(() => statuses.includes(503))
      await work()
    } finally {
      isOver = true
      await Promise.all(attackers)
    }
    return statuses
  }

  test('an owner on a known device can sign in, even if it comes from many networks', async () => {
    const email = await register()
    const { user } = requireStatus(200, await login(email, '192.0.2.1', DEVICE)).body
    const device = { ...DEVICE, 'x-device-token': user.device_token }
    const statuses: number[] = []
    const attempts = await beside(
      (number) => address(number),
      async () => {
        for (let time = 0; time < 8; time++) statuses.push((await login(email, '192.0.2.1', device)).status)
      },
    )
    assert.deepEqual(statuses, Array(8).fill(200))
    assert.ok(attempts.includes(401), 'and the others have their turns')
  })

  test('clients from other networks are served if it comes from a few networks', async () => {
    const email = await register()
    const statuses: number[] = []
    // Each of the few goes after forty tries, before the limit of an address would end its part in the flood.
    await beside(
      (_number, checked) => `10.9.${Math.floor(checked / 40)}.1`,
      async () => {
        for (let time = 0; time < 8; time++)
          statuses.push((await login(email, '192.0.2.77', { 'user-agent': 'new' })).status)
      },
    )
    assert.deepEqual(statuses, Array(8).fill(200))
  })
})
