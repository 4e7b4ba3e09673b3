import assert from 'node:assert/strict'
import { type Attack, newAddress, PASSWORD, type Person, type Target } from '../target.ts'

const WRONG = 'a walk along the wrong river'
const APP = {
  'user-agent': 'Dart/3.9 (dart:io)',
  'x-device-id': '4f6f1d7e-93c1-4b0e-9d7f-6a5a3a9d2f10',
  'x-app-type': 'android',
}

const tryLogin = (
  { client }: Target,
  email: string,
  password: string,
  headers: Record<string, string>,
  token?: string,
) => client.login({ email, password }, { headers, ...(token && { token }) })

/** A user whose app has signed in from an address, with its tokens. */
async function owner(target: Target, ip: string): Promise<Person & { device_token?: string }> {
  const person = await target.newPerson()
  const answer = await tryLogin(target, person.email, PASSWORD, { ...APP, 'x-forwarded-for': ip })
  assert.equal(answer.status, 200)
  return answer.body.user
}

/** The owner signs in again, as the published app does (with its old access token) and as a new one does. */
async function requireOwnerIn(target: Target, person: Person & { device_token?: string }, ip: string): Promise<void> {
  const headers = { ...APP, 'x-forwarded-for': ip }
  const published = await tryLogin(target, person.email, PASSWORD, headers, person.access_token)
  assert.equal(published.status, 200, `with an access token: ${JSON.stringify(published.body)}`)
  assert.ok(person.device_token, 'the sign-in gave no device_token')
  const proven = await tryLogin(target, person.email, PASSWORD, { ...headers, 'x-device-token': person.device_token })
  assert.equal(proven.status, 200, `with a device token: ${JSON.stringify(proven.body)}`)
}

export const neighbour: Attack = {
  name: 'neighbour',
  title: 'attempts from the same address with the same app do not use up the attempts of the owner',
  quick: true,
  async run(target) {
    const ip = newAddress()
    const person = await owner(target, ip)
    for (let n = 0; n < 15; n++)
      await tryLogin(target, person.email, WRONG, { 'user-agent': APP['user-agent'], 'x-forwarded-for': ip })
    await requireOwnerIn(target, person, ip)
  },
}

export const learntDevice: Attack = {
  name: 'learnt-device-id',
  title: 'attempts with a leaked X-Device-ID do not use up the attempts of its owner',
  quick: true,
  async run(target) {
    const ip = newAddress()
    const person = await owner(target, ip)
    for (let n = 0; n < 15; n++)
      await tryLogin(target, person.email, WRONG, { ...APP, 'x-forwarded-for': newAddress() })
    await requireOwnerIn(target, person, ip)
  },
}

export const plantedDevices: Attack = {
  name: 'planted-devices',
  title: 'devices registered by a thief give no further attempts after a password change',
  quick: false,
  async run(target) {
    const person = await target.newPerson()
    const planted: Record<string, string>[] = []
    for (let n = 0; n < 60; n++) {
      const headers = { 'user-agent': `planted ${n}`, 'x-device-id': `planted-${n}` }
      const { body } = await tryLogin(target, person.email, PASSWORD, { ...headers, 'x-forwarded-for': newAddress() })
      planted.push({ ...headers, ...(body.user?.device_token && { 'x-device-token': body.user.device_token }) })
    }
    const changed = await target.client.post('/api/v1/auth/change-password', {
      token: person.access_token,
      body: { current_password: PASSWORD, new_password: 'another walk along the river' },
    })
    assert.equal(changed.status, 200, JSON.stringify(changed.body))
    let attempts = 0
    for (const headers of planted)
      for (let n = 0; n < 5; n++) {
        const { status } = await tryLogin(target, person.email, WRONG, { ...headers, 'x-forwarded-for': newAddress() })
        if (status === 401) attempts++
      }
    assert.ok(attempts <= 20, `${attempts} attempts went through without a delay`)
  },
}

export const sameHeaders: Attack = {
  name: 'same-headers',
  title: 'the headers of a refused sign-in do not reveal whether an account exists',
  quick: true,
  async run(target) {
    const person = await owner(target, newAddress())
    const shape = async (email: string, headers: Record<string, string>) => {
      const told = []
      for (let n = 0; n < 8; n++) {
        const answer = await tryLogin(target, email, WRONG, { ...headers, 'x-forwarded-for': newAddress() })
        const { ratelimit, 'ratelimit-policy': policy, 'retry-after': wait } = answer.headers
        told.push([answer.status, Object.keys(answer.headers).sort().join(), ratelimit, policy, wait])
      }
      return told
    }
    const unknown = await shape(`nobody-${Date.now()}@example.org`, APP)
    assert.deepEqual(await shape(person.email, APP), unknown)
  },
}

export const starvingOwners: Attack = {
  name: 'starving-owners',
  title: 'owners on known devices can sign in during an attack by 200 clients',
  quick: false,
  async run(target) {
    const ip = newAddress()
    const people = await Promise.all(Array.from({ length: 6 }, () => owner(target, ip)))
    let isOver = false
    const attack = Array.from({ length: 200 }, async (_, n) => {
      while (!isOver) await tryLogin(target, `nobody-${n}@example.org`, WRONG, { 'x-forwarded-for': newAddress() })
    })
    let served = 0
    for (let round = 0; round < 10; round++)
      for (const person of people) {
        const headers = { ...APP, 'x-forwarded-for': ip, 'x-device-token': person.device_token ?? '' }
        const { status } = await tryLogin(target, person.email, PASSWORD, headers, person.access_token)
        if (status === 200) served++
      }
    isOver = true
    await Promise.all(attack)
    assert.ok(served >= 54, `${served} of 60 sign-ins of owners were served`)
  },
}

export const commonPasswords: Attack = {
  name: 'common-passwords',
  title: 'common words with the usual substitutions are refused as passwords',
  quick: true,
  async run({ client }) {
    for (const password of ['Welcome1!', 'Qwerty123!', 'Summer2026!', 'P@ssw0rd2026', 'dragon_1234', 'Monkey-2025!']) {
      const body = { email: `common-${Date.now()}-${Math.random()}@example.org`, password, name: 'Anna' }
      const answer = await client.register(body)
      assert.deepEqual([answer.status, answer.body.reason], [400, 'password_refused'], password)
    }
  },
}
