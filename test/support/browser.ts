import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
const FLAGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

/** The reason to skip tests with a browser, or false; they are never skipped in CI. */
export const withoutBrowser = !CHROMIUM && !process.env.CI ? 'Chromium is not installed' : false

export function startBrowser(): Promise<Browser> {
  assert.ok(CHROMIUM, 'Chromium is not installed, and CI needs it')
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(' ') })
}

/** Collects the complaints of a browser: violated policies, failed loads, and requests to hosts other than `home`. */
export function complaintsOf(page: Page, home: string): string[] {
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(home) && !request.url().startsWith('data:'))
      complaints.push(`asks another host: ${request.url()}`)
  })
  return complaints
}

/** How many pixels a page is wider than its window. */
export const overflowOf = (page: Page): Promise<unknown> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
