import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page, Response } from 'playwright-core'
import { ADMINISTRATOR, createAdministrator } from '../support/administrator.ts'
import { requireStatus } from '../support/auth-calls.ts'
import { complaintsOf, startBrowser, withoutBrowser } from '../support/browser.ts'
import { createClient } from '../support/process-client.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'

interface Operation {
  tag: string
  id: string
  method: string
  path: string
  isPublic: boolean
}

/** A person without when something was last written. */
const essence = (person: object = {}) => ({ ...person, updated_at: null, last_login_at: null })

/** What Chromium says of every answer of 400 and more, whoever asked for it. */
const EXPECTED_COMPLAINT = /^error: Failed to load resource: the server responded with a status of 4\d\d/

describe('Try it out at /docs', { skip: withoutBrowser }, () => {
  let folder: string
  let server: ServerProcess
  let browser: Browser
  let operations: Operation[]
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bukhindor-e2e-'))
    const env = { DATA_DIR: folder, LOG_FORMAT: 'json', LOG_LEVEL: 'warn' }
    await createAdministrator(env)
    // The public address is another one than that of the page, as it often is.
    server = await startServer({ ...env, APP_URL: 'https://api.example.org' })
    browser = await startBrowser()
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { operationId: string; tags: string[]; security: object[] }>>
    }
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId: id, tags, security }]) => ({
        tag: tags[0] as string,
        id,
        method,
        path,
        isPublic: security.every((way) => !('bearer' in way)),
      })),
    )
  })
  after(async () => {
    await browser?.close()
    await server?.stop('SIGINT')
    await rm(folder, { recursive: true, force: true })
  })

  /** Opens the page, and gathers what the browser complains of beside answers of 4xx. */
  async function open() {
    const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } })
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    const complaints = complaintsOf(page, server.url)
    await page.goto(`${server.url}/docs`)
    await page.waitForSelector('.opblock')
    const unexpected = () => complaints.filter((complaint) => !EXPECTED_COMPLAINT.test(complaint))
    return { page, unexpected, close: () => context.close() }
  }

  /** Opens an operation, changes nothing in it, and sends it twice. */
  async function tryTwice(page: Page, { tag, id, method, path }: Operation): Promise<[Response, Response]> {
    const block = page.locator(`#operations-${tag}-${id}`)
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
    const isAnswer = (response: Response) =>
      response.request().method() === method.toUpperCase() && pattern.test(new URL(response.url()).pathname)
    await block.locator('.opblock-summary-control').first().dispatchEvent('click')
    await block.locator('.try-out__btn').dispatchEvent('click')
    const answers: Response[] = []
    for (let time = 0; time < 2; time++) {
      const answered = page.waitForResponse(isAnswer)
      await block.locator('.btn.execute').dispatchEvent('click')
      answers.push(await answered)
      // Only when it is shown can the next one be sent.
      await block.locator('.live-responses-table .response-col_status').first().waitFor()
    }
    await block.locator('.opblock-summary-control').first().dispatchEvent('click')
    return answers as [Response, Response]
  }

  /** What holds for every operation that is just sent, twice. */
  function requireHarmless({ id }: Operation, [first, second]: [Response, Response]): void {
    for (const answer of [first, second]) {
      const headers = answer.request().headers()
      assert.ok(!('idempotency-key' in headers), `${id} sends a key that nobody has chosen`)
      assert.ok(!('if-match' in headers) && !('if-none-match' in headers), `${id} sends a condition`)
      assert.equal(answer.headers()['idempotency-replayed'], undefined, `${id} gets an old answer`)
      assert.ok(answer.status() < 500 && answer.status() !== 422, `${id}: ${answer.status()}`)
    }
    const statuses = [first.status(), second.status()]
    // What is made once is there then.
    if (statuses[0] === 201) assert.deepEqual(statuses, [201, 409], id)
    // A limit may be met: what is tried here is counted as everything is.
    else if (id !== 'signOut' && statuses[1] !== 429) assert.equal(statuses[1], statuses[0], id)
  }

  test('sends every public operation twice without a token, and none fails', async () => {
    const { page, unexpected, close } = await open()
    const callable = operations.filter(({ isPublic }) => isPublic)
    assert.ok(callable.length > 10)
    // Of those that need a token one is enough: what each answers without is a row of roles.test.ts.
    for (const operation of [...callable, ...operations.filter(({ isPublic }) => !isPublic).slice(0, 1)])
      requireHarmless(operation, await tryTwice(page, operation))
    assert.deepEqual(unexpected(), [])
    await close()
  })

  test('sends every operation twice as an administrator, and no user is changed or deleted', async () => {
    const client = createClient(server.url)
    const { access_token: token } = requireStatus(200, await client.login(ADMINISTRATOR)).body.user
    const everybody = async (): Promise<{ id: string }[]> =>
      (await client.get('/api/v1/users?sort=email', { token })).body.users
    const before = await everybody()
    assert.ok(before.length > 0)

    const { page, unexpected, close } = await open()
    await page.click('.auth-wrapper .authorize')
    await page.fill('.auth-container input[type=text] >> nth=0', token)
    await page.click('.auth-btn-wrapper .authorize >> nth=0')
    await page.click('.modal-ux .btn-done >> nth=0')
    const last = ['signOut']
    const ordered = [
      ...operations.filter(({ id }) => !last.includes(id)),
      ...operations.filter(({ id }) => last.includes(id)),
    ]
    for (const operation of ordered) {
      if (operation.id === 'signOut') {
        const after = await everybody()
        for (const person of before)
          assert.deepEqual(essence(after.find(({ id }) => id === person.id)), essence(person))
      }
      const answers = await tryTwice(page, operation)
      requireHarmless(operation, answers)
      const { reason } = answers[0].status() >= 400 ? await answers[0].json() : { reason: null }
      assert.ok(!/^(token_|session_ended|forbidden)/.test(reason), `${operation.id}: ${reason}`)
      if (operation.method === 'get' && !operation.path.includes('{'))
        assert.equal(answers[0].status(), 200, operation.id)
    }
    assert.deepEqual(unexpected(), [])
    await close()
  })
})
