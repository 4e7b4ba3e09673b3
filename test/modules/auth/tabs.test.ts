import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, startApp, useApp } from '../../support/app.ts'
import { behindProxy } from '../../support/login-attempts.ts'
import { createRandom } from '../../support/random.ts'
import { type Browser, createBrowser, openTab, type Tab } from '../../support/web-build.ts'

const settings = behindProxy({ env: { CORS_ALLOWED_ORIGINS: 'https://app.example.org' } })

describeOnEachEngine('The published web build', (engine) => {
  const app = useApp(engine, settings)

  /** A browser with so many tabs, whose person has signed in in the first of them. */
  async function opened(count: number, more: Partial<Browser> = {}) {
    const browser = createBrowser(more)
    const person = await register(app.api)
    const first = openTab(app.api, browser)
    await first.login(person.email, PASSWORD)
    const tabs = [first, ...Array.from({ length: count - 1 }, () => openTab(app.api, browser))]
    return { browser, tabs, person }
  }
  const events = async (userId: string, action: 'refresh.stale' | 'refresh.reused') =>
    (
      await app.services.database.db
        .selectFrom('audit_events')
        .select('id')
        .where('target_id', '=', userId)
        .where('action', '=', action)
        .execute()
    ).length

  /** So many screens in tabs that somebody goes to and fro between, now and then opening one anew. */
  async function browse(browser: Browser, tabs: Tab[], screens: number, next: () => number, moves = false) {
    const refusals: string[] = []
    for (let screen = 0; screen < screens; screen++) {
      app.clock.advance(Math.floor(next() * (next() < 0.1 ? 2 * HOUR : 25 * MINUTE)))
      if (moves && next() < 0.2) browser.network = `198.51.100.${Math.floor(next() * 200)}`
      const chosen = Math.floor(next() * tabs.length)
      if (tabs.length > 1 && next() < 0.03) tabs[chosen] = openTab(app.api, browser)
      const acting = next() < 0.15 ? tabs : [tabs[chosen] as Tab]
      const reasons = await Promise.all(acting.map((tab) => tab.act()))
      refusals.push(...reasons.filter((reason) => reason !== null))
      if (reasons.some((reason) => reason !== null)) break
    }
    return refusals
  }

  test('stays signed in over 300 screens in two tabs, and in three', async () => {
    for (const [count, screens] of [
      [2, 300],
      [3, 100],
    ] as const) {
      const { browser, tabs, person } = await opened(count)
      assert.deepEqual(await browse(browser, tabs, screens, createRandom(count).next), [])
      assert.ok((await events(person.id, 'refresh.stale')) > 10, 'tabs were left behind')
      assert.equal(await events(person.id, 'refresh.reused'), 0)
    }
  })

  test('stays signed in with one tab and never sends a past token', async () => {
    const { browser, tabs, person } = await opened(1)
    assert.deepEqual(await browse(browser, tabs, 100, createRandom(1).next), [])
    assert.equal(await events(person.id, 'refresh.stale'), 0)
  })

  test('stays signed in with two tabs on the origin of the service across networks', async () => {
    const { browser, tabs, person } = await opened(2, { cookies: new Map() })
    assert.deepEqual(await browse(browser, tabs, 150, createRandom(4).next, true), [])
    assert.ok((await events(person.id, 'refresh.stale')) > 10)
  })

  const elsewhere: [string, Partial<Browser>][] = [
    ['another network', { network: '198.51.100.66' }],
    ['another network of the same provider', { network: '203.0.113.8' }],
    ['another user agent', { userAgent: 'Mozilla/5.0 (Windows NT 10.0) Firefox/145.0' }],
    ['no user agent that tells anything', { userAgent: '-' }],
  ]
  const thefts: [string, Partial<Browser>, Partial<Browser>][] = [
    ...elsewhere.map(([name, place]): (typeof thefts)[0] => [name, place, {}]),
    ['the same network and user agent, without the cookie', {}, { cookies: new Map() }],
    [
      'another network, with a cookie of their own',
      { network: '198.51.100.66', cookies: new Map() },
      { cookies: new Map() },
    ],
  ]
  for (const [name, place, more] of thefts)
    test(`is protected: a thief with ${name} is always detected, whichever tab was copied`, async () => {
      const next = createRandom(7).next
      for (let round = 0; round < 4; round++) {
        const { browser, tabs, person } = await opened(2, { ...more, ...(more.cookies && { cookies: new Map() }) })
        assert.deepEqual(await browse(browser, tabs, 4, next), [])
        const copied = tabs[round % 2] as Tab
        const thief = openTab(app.api, createBrowser({ ...place, storage: { ...copied.memory } }))
        if (place.cookies) {
          // They have signed in to an account of their own, on the same origin.
          const own = openTab(app.api, createBrowser({ ...place }))
          await own.login((await register(app.api)).email, PASSWORD)
        }
        app.clock.advance(16 * MINUTE)
        const isFirst = round % 3 === 0
        if (isFirst) await thief.act()
        // The browser goes on, until the copy is of the past, or the thief is found.
        for (let screen = 0; screen < 4; screen++) {
          app.clock.advance(16 * MINUTE)
          await tabs[screen % 2]?.act()
        }
        app.clock.advance(16 * MINUTE)
        if (!(await events(person.id, 'refresh.reused'))) await thief.act()
        assert.equal(await events(person.id, 'refresh.reused'), 1, `round ${round}`)
        app.clock.advance(16 * MINUTE)
        for (const tab of [...tabs, thief]) assert.ok(tab.signedOut || (await tab.act()), `round ${round}`)
      }
    })

  test('loses its session when a tab is older than the tolerance; an app does so at once', async () => {
    const { tabs } = await opened(2)
    const [one, two] = tabs as [Tab, Tab]
    app.clock.advance(20 * MINUTE)
    assert.equal(await one.act(), null)
    app.clock.advance(24 * HOUR + SECOND)
    assert.equal(await two.act(), 'refresh_reused')

    const headers = { 'user-agent': 'Dart/3.9 (dart:io)', 'x-app-type': 'android', 'x-forwarded-for': '203.0.113.7' }
    // The app itself, from its own place; and a thief that says it were a browser: that does not make the session one.
    for (const later of [headers, { ...headers, 'user-agent': 'Mozilla/5.0', 'x-app-type': 'web' }]) {
      const { email } = await register(app.api)
      const login = await app.api.login({ email }, { headers })
      const refresh = (refresh_token: string, headers: Record<string, string>) =>
        app.api.refresh(refresh_token, { headers })
      const { refresh_token: past } = login.body.user
      const { body } = await refresh(past, headers)
      assert.equal((await refresh(body.user.refresh_token, later)).status, 200)
      app.clock.advance(11 * SECOND)
      assert.equal((await refresh(past, later)).body.reason, 'refresh_reused')
    }
  })

  test('without the cookie, accepts a copy from the same network and user agent, and audits it', async () => {
    const { tabs, browser, person } = await opened(1)
    const [tab] = tabs as [Tab]
    const copy = openTab(app.api, createBrowser({ storage: { ...browser.storage } }))
    for (let step = 0; step < 2; step++) {
      app.clock.advance(16 * MINUTE)
      assert.equal(await tab.act(), null)
    }
    assert.equal(await copy.act(), null)
    assert.deepEqual([await events(person.id, 'refresh.stale'), await events(person.id, 'refresh.reused')], [1, 0])
    app.clock.advance(16 * MINUTE)
    assert.equal(await tab.act(), null)
  })

  test('without the cookie, loses its session when an old tab refreshes from another network', async () => {
    const { tabs, browser } = await opened(2)
    const [one, two] = tabs as [Tab, Tab]
    const step = async (tab: Tab, network: string) => {
      app.clock.advance(16 * MINUTE)
      browser.network = network
      return tab.act()
    }
    assert.equal(await step(one, '203.0.113.7'), null)
    // The one with the newest token may move, and the other one after it.
    assert.equal(await step(one, '198.51.100.9'), null)
    assert.equal(await step(two, '198.51.100.9'), null)
    assert.equal(await step(two, '198.51.100.9'), null)
    assert.equal(await step(one, '203.0.113.7'), 'refresh_reused')
  })

  test('does not fill the audit log with old tabs', async () => {
    const { tabs, browser, person } = await opened(2)
    const [one] = tabs as [Tab]
    const past = one.memory.refresh
    for (let step = 0; step < 2; step++) {
      app.clock.advance(16 * MINUTE)
      await one.act()
    }
    app.clock.advance(11 * SECOND)
    for (let number = 0; number < 60; number++) {
      const tab = openTab(app.api, browser)
      Object.assign(tab.memory, { access: null, refresh: past })
      const answer = await app.api.refresh(String(past), {
        headers: { 'user-agent': browser.userAgent, 'x-forwarded-for': browser.network },
      })
      assert.equal(answer.status, 200)
    }
    assert.equal(await events(person.id, 'refresh.stale'), 30)
  })
})

describeOnEachEngine('Without a tolerance', (engine) => {
  test('a past token from any tab ends the session', async (t) => {
    const app = await startApp(engine, behindProxy({ env: { REFRESH_TAB_TOLERANCE: '0' } }))
    t.after(() => app.close())
    const browser = createBrowser()
    const one = openTab(app.api, browser)
    await one.login((await register(app.api)).email, PASSWORD)
    const two = openTab(app.api, browser)
    app.clock.advance(16 * MINUTE)
    assert.equal(await one.act(), null)
    app.clock.advance(16 * MINUTE)
    assert.equal(await two.act(), 'refresh_reused')
  })
})
