import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PASSWORD, register, useApp } from '../support/app.ts'

const FORGED = {
  'x-forwarded-for': '203.0.113.7, 198.51.100.2',
  'x-real-ip': '203.0.113.7',
  forwarded: 'for=203.0.113.7',
}

const settings: [name: string, trust: string, seen: string][] = [
  ['no proxy is named', 'off', '127.0.0.1'],
  ['one is, and this is it: what that one tells counts, and not what it was told', '1', '198.51.100.2'],
  ['two are', '2', '203.0.113.7'],
  ['one is by its address', 'loopback', '198.51.100.2'],
  ['another one is by its address', '10.0.0.0/8', '127.0.0.1'],
]
for (const [name, trust, seen] of settings)
  describe(`Where ${name}`, () => {
    const app = useApp('sqlite', { env: { TRUST_PROXY: trust } })

    test(`a caller who claims addresses comes from ${seen}`, async () => {
      const { email } = await register(app.api)
      const login = { body: { email, password: PASSWORD }, headers: FORGED }
      const { access_token: token } = (await app.api.post('/api/v1/auth/login', login)).body.user
      const { sessions } = (await app.api.get('/api/v1/auth/sessions', { token })).body
      assert.equal(sessions[0].ip, seen)
      assert.equal(app.logs.find(({ route }) => route === '/api/v1/auth/login')?.ip, seen)
    })
  })
