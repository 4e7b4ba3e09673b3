import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { complaintsOf, overflowOf, startBrowser, withoutBrowser } from '../../support/browser.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'

describe('The pages of the service, in a browser', { skip: withoutBrowser }, () => {
  let folder: string
  let server: ServerProcess
  let browser: Browser
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bukhindor-e2e-'))
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    browser = await startBrowser()
  })
  after(async () => {
    await browser?.close()
    await server?.stop('SIGINT')
    await rm(folder, { recursive: true, force: true })
  })

  /** Opens a page, and gathers what the browser complains of: policies that were broken, scripts and loads that failed. */
  async function open(path: string, options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const complaints = complaintsOf(page, server.url)
    await page.goto(server.url + path)
    if (/^\/docs(#|$)/.test(path)) await page.waitForSelector('.opblock')
    return { page, complaints, close: () => context.close() }
  }

  for (const path of ['/', '/docs', '/docs/errors'])
    for (const width of [360, 1280])
      test(`${path} at ${width} pixels keeps to its policy, loads nothing from other hosts and does not scroll sideways`, async () => {
        const { page, complaints, close } = await open(path, { viewport: { width, height: 900 }, colorScheme: 'dark' })
        assert.deepEqual(complaints, [])
        assert.equal(await overflowOf(page), 0)
        await close()
      })

  test('each is in the language of the reader', async () => {
    for (const path of ['/', '/docs', '/docs/errors'])
      for (const [locale, word] of [
        ['ru-RU', 'Ошибки'],
        ['en-GB', 'Errors'],
      ] as const) {
        const { page, close } = await open(path, { locale })
        assert.match((await page.textContent('body')) ?? '', new RegExp(word))
        assert.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2))
        await close()
      }
  })

  test('/docs sends a request from its example and shows the answer', async () => {
    const { page, complaints, close } = await open('/docs#/Auth/register')
    await page.click('#operations-Auth-register .try-out__btn')
    await page.click('#operations-Auth-register .execute')
    const answer = page.locator('#operations-Auth-register .live-responses-table .response-col_description pre').first()
    assert.match((await answer.textContent()) ?? '', /"email": "anna@example.org"/)
    assert.deepEqual(complaints, [])
    await close()
  })

  test('/docs/errors highlights the reason in the fragment', async () => {
    const { page, close } = await open('/docs/errors#email_taken')
    assert.match((await page.textContent('tr:target')) ?? '', /email_taken\s+409/)
    await close()
  })
})
