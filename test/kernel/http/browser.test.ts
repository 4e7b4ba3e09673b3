import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { useApp } from '../../support/app.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

describe('A browser', () => {
  const app = useApp('sqlite')
  const open = (path: string, headers: Record<string, string> = {}) =>
    fetch(app.url + path, { redirect: 'manual', headers: { accept: BROWSER, ...headers } })

  test('gets a 404 page in its language', async () => {
    for (const [language, sentence] of [
      ['en', 'This page does not exist.'],
      ['ru', 'Такой страницы нет.'],
    ] as const) {
      const answer = await open('/nowhere/<script>', { 'accept-language': language })
      assert.equal(answer.status, 404)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
      assert.match(answer.headers.get('content-security-policy') ?? '', /style-src 'self'/)
      const text = await answer.text()
      assert.ok(text.includes(sentence), text)
      assert.ok(text.includes(answer.headers.get('x-request-id') as string))
      assert.doesNotMatch(text, /script|nowhere/)
    }
    assert.match((await open('/%zz')).headers.get('content-type') ?? '', /^text\/html/)
  })

  test('gets JSON from the API, and other clients get JSON everywhere', async () => {
    for (const path of ['/api/v1/nowhere', '/api/v1/auth/me', '/health/nowhere', '/openapi.xml'])
      assert.match((await open(path)).headers.get('content-type') ?? '', /^application\/problem\+json/, path)
    for (const accept of ['*/*', 'application/json', 'application/json, text/html', 'text/html-sandboxed'])
      assert.match((await open('/nowhere', { accept })).headers.get('content-type') ?? '', /problem\+json/, accept)
  })

  test('finds /docs/ and /favicon.ico', async () => {
    const docs = await open('/docs/')
    assert.deepEqual([docs.status, docs.headers.get('location')], [308, '/docs'])
    const icon = await open('/favicon.ico')
    assert.deepEqual([icon.status, icon.headers.get('content-type')], [200, 'image/svg+xml; charset=utf-8'])
    assert.match(await icon.text(), /<svg/)
  })
})
