import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  firstGeneration,
  type Generations,
  isSameBrowser,
  lastUse,
  refresh,
  see,
  type Use,
} from '../../../src/modules/sessions/generations.ts'
import { useOf } from '../../../src/modules/sessions/session.row.ts'
import { GRACE, type Kind, type Machine, play, stories, TOLERANCE } from './simulation.ts'

const RUNS = 10_000
const real: Machine = { refresh, see, isSameBrowser, lastUse }
const APPS: Kind[] = ['shared', 'in step']
const TABS: Kind[] = ['tabs', 'tabs with a cookie']
const RULES = { grace: GRACE, tolerance: 0 }

/** Each throws, with the shortest story that it finds. */
const spares = (machine: Machine, kinds = APPS) => check(machine, kinds, false, 'an honest device was signed out')
const finds = (machine: Machine, kinds = APPS) => check(machine, kinds, true, 'a thief was not found')

function check(machine: Machine, kinds: Kind[], theft: boolean, otherwise: string): void {
  const property = fc.property(stories({ theft, kinds }), (story) => {
    assert.deepEqual(play(machine, story), { ended: theft, faults: [] }, otherwise)
  })
  fc.assert(property, { numRuns: RUNS, seed: 20_261_122 })
}

describe('Refresh generations', () => {
  test('keep honest devices signed in, whatever the network does', () => spares(real))
  test('detect every thief, whenever the token was copied', () => finds(real))

  test('keep old tabs of a browser signed in within the tolerance', () => spares(real, TABS))
  test('detect every thief outside the browser, however many tabs it has', () => finds(real, TABS))

  const wrongToDevices: Record<string, Machine> = {
    'that does not accept a generation again after a lost answer': {
      ...real,
      refresh: (state, presented, now, rules) =>
        presented === state.current - 1 && !state.seen.some(([seen]) => seen === state.current)
          ? { kind: 'reused' }
          : refresh(state, presented, now, rules),
    },
    'that forgets parallel calls at once': {
      ...real,
      refresh: (state, presented, now) => refresh(state, presented, now, { ...RULES, grace: -1 }),
    },
    'whose grace time is a tenth': {
      ...real,
      refresh: (state, presented, now, rules) => refresh(state, presented, now, { ...rules, grace: rules.grace / 10 }),
    },
    'that counts the grace time from the handing out': {
      ...real,
      refresh: (state, presented, now, rules) => {
        const verdict = refresh(state, presented, now, rules)
        if (verdict.kind !== 'advanced') return verdict
        const { current, seen } = verdict.next
        return { kind: 'advanced', next: { current, seen: [...seen, [current, now]] } }
      },
    },
    'that gives a second successor': {
      ...real,
      refresh: (state, presented, now, rules) => {
        const verdict = refresh(state, presented, now, rules)
        return verdict.kind === 'repeated'
          ? { kind: 'advanced', next: { ...state, current: state.current + 1 } }
          : verdict
      },
    },
    'that ends a session whose newest writes the database has lost': {
      ...real,
      refresh: (state, presented, now, rules) =>
        presented > state.current ? { kind: 'reused' } : refresh(state, presented, now, rules),
    },
  }
  const blindToThieves: Record<string, Machine> = {
    'that never finds a copy': {
      ...real,
      refresh: (state, presented, now, rules) => {
        const verdict = refresh(state, presented, now, rules)
        return verdict.kind === 'reused' ? { kind: 'repeated' } : verdict
      },
    },
    'that does not note the use of access tokens': { ...real, see: () => null },
    'that takes any past generation within the grace time of the newest': {
      ...real,
      refresh: (state, presented, now, rules) => {
        const verdict = refresh(state, presented, now, rules)
        const [, at = now] = state.seen.at(-1) ?? []
        return verdict.kind === 'reused' && now - at > rules.grace ? { kind: 'repeated' } : verdict
      },
    },
  }
  /** Gives the whole verdict of the real machine, after the faulty one has changed what it is asked. */
  const wrongToTabs: Record<string, Partial<Machine>> = {
    'that knows no tabs': { isSameBrowser: () => false },
    'that tolerates tabs for a tenth of the time': {
      refresh: (state, presented, now, rules, same) =>
        refresh(state, presented, now, { ...rules, tolerance: rules.tolerance / 10 }, same),
    },
    'that remembers what is past for the grace time only': {
      refresh: (state, presented, now, rules, same) => {
        const verdict = refresh(state, presented, now, rules, same)
        if (verdict.kind !== 'advanced') return verdict
        const seen = verdict.next.seen.filter(([, at]) => now - at <= rules.grace)
        return { kind: 'advanced', next: { ...verdict.next, seen } }
      },
      see: (state, used, now, rules) => see(state, used, now, { ...rules, tolerance: 0 }),
    },
    'that looks at network and user agent where there is a cookie': {
      isSameBrowser: (last, present) => isSameBrowser({ ...last, cookie: 'none' }, present),
    },
  }
  const blindBesideTabs: Record<string, Partial<Machine>> = {
    'that takes any place for the same browser': { isSameBrowser: () => true },
    'that compares the network only': {
      isSameBrowser: (last, present) => isSameBrowser({ ...last, userAgent: '' }, { ...present, userAgent: '' }),
    },
    'that compares the user agent only': {
      isSameBrowser: (last, present) => isSameBrowser({ ...last, network: '' }, { ...present, network: '' }),
    },
    'that compares with the sign-in instead of the last use': { lastUse: (last) => last },
    'that takes the last cookie for a proof, whoever continued the session after it': {
      isSameBrowser: (last, present) => present.cookie === 'shown' || isSameBrowser(last, present),
    },
    'that falls back to network and user agent when the cookie stays away': {
      lastUse: (_last, present) => present,
      isSameBrowser,
    },
  }
  for (const [fault, machine] of Object.entries(wrongToTabs))
    test(`the same test with tabs finds a machine ${fault}`, () =>
      assert.throws(() => spares({ ...real, ...machine }, TABS), /Property failed/))
  for (const [fault, machine] of Object.entries(blindBesideTabs))
    test(`the same test with tabs finds a machine ${fault}`, () =>
      assert.throws(() => finds({ ...real, ...machine }, TABS), /Property failed/))

  for (const [fault, machine] of Object.entries(wrongToDevices))
    test(`the same test finds a machine ${fault}`, () => assert.throws(() => spares(machine), /Property failed/))
  for (const [fault, machine] of Object.entries(blindToThieves))
    test(`the same test finds a machine ${fault}`, () => assert.throws(() => finds(machine), /Property failed/))

  const twice = (first: number, second: number): Generations => ({
    current: 2,
    seen: [
      [1, first],
      [2, second],
    ],
  })
  const cases: [string, Generations, number, number, string][] = [
    ['the first refresh advances', firstGeneration(), 0, 0, 'advanced'],
    [
      'the same again is repeated while the successor is unseen, however late',
      { current: 1, seen: [[0, 0]] },
      0,
      9e12,
      'repeated',
    ],
    ['a past one is repeated up to the last millisecond of the grace time', twice(0, 5), 1, GRACE + 5, 'repeated'],
    ['and is reused one millisecond later', twice(0, 5), 1, GRACE + 6, 'reused'],
    [
      'one that is two generations old is repeated within the grace time of its own successor',
      twice(0, 5),
      0,
      GRACE,
      'repeated',
    ],
    ['and is reused after it', twice(0, 5), 0, GRACE + 1, 'reused'],
    ['one from before the memory is reused', twice(0, 5), -1, 6, 'reused'],
    ['one from the future, which the database has lost, is honoured', firstGeneration(), 7, 0, 'advanced'],
  ]
  for (const [name, state, presented, now, kind] of cases)
    test(name, () => assert.equal(refresh(state, presented, now, RULES).kind, kind))

  test('remember the newest sixteen generations within one grace period', () => {
    let state = firstGeneration()
    for (let generation = 0; generation < 100; generation++) {
      const verdict = refresh(state, generation, generation, RULES)
      assert.ok(verdict.kind === 'advanced')
      state = verdict.next
    }
    assert.equal(state.seen.length, 16)
    assert.equal(refresh(state, 98, 100, RULES).kind, 'repeated')
    assert.equal(refresh(state, 50, 100, RULES).kind, 'reused')
  })

  /** A session in which a browser has refreshed every quarter of an hour for so many hours. */
  function refreshedFor(hours: number): { state: Generations; now: number } {
    let state = firstGeneration()
    const rules = { grace: GRACE, tolerance: TOLERANCE }
    let now = 1_764_000_000_000
    for (let generation = 0; generation < 4 * hours; generation++) {
      now += 900_000
      const verdict = refresh(state, generation, now, rules)
      assert.ok(verdict.kind === 'advanced')
      state = verdict.next
    }
    return { state, now }
  }
  const asTab = (state: Generations, presented: number, now: number, sameBrowser = true) =>
    refresh(state, presented, now, { grace: GRACE, tolerance: TOLERANCE }, sameBrowser).kind

  test('answer a tab for the whole tolerance and at most a twenty-fourth longer', () => {
    const { state, now } = refreshedFor(100)
    for (let generation = 0; generation < state.current - 2; generation++) {
      const age = (state.current - 2 - generation) * 900_000
      const verdict = asTab(state, generation, now)
      if (age <= TOLERANCE) assert.equal(verdict, 'stale', `${age} ms`)
      if (age > (TOLERANCE * 25) / 24) assert.equal(verdict, 'reused', `${age} ms`)
      assert.equal(asTab(state, generation, now, false), 'reused')
    }
  })

  test('answer a token superseded once up to the last millisecond of the tolerance', () => {
    const state = twice(0, 5)
    assert.equal(asTab(state, 1, TOLERANCE + 5), 'stale')
    assert.equal(asTab(state, 1, TOLERANCE + 6), 'reused')
    assert.equal(asTab(state, 0, TOLERANCE), 'stale')
    assert.equal(asTab(state, 0, TOLERANCE + 1), 'reused')
  })

  test('have a bounded size, however long a browser uses them and its clock jumps', () => {
    const rules = { grace: GRACE, tolerance: TOLERANCE }
    let { state, now } = refreshedFor(1000)
    assert.ok(state.seen.length <= 42, `${state.seen.length}`)
    assert.ok(JSON.stringify(state.seen).length < 1000)
    for (let turn = 0; turn < 2000; turn++) {
      now += (turn % 2 ? -1 : 1) * (turn % 37) * 3_600_000
      const verdict = refresh(state, state.current, now, rules)
      assert.ok(verdict.kind === 'advanced')
      state = verdict.next
      assert.ok(state.seen.length <= 42, `${state.seen.length}`)
    }
  })

  const home: Use = { cookie: 'none', network: '203.0.113.7', userAgent: 'browser' }
  const nowhere: Use = { cookie: 'none', network: null, userAgent: null }
  const pairs: [string, Use, Use, boolean][] = [
    ['the same network and user agent are one browser', home, home, true],
    ['another network is another', home, { ...home, network: '203.0.113.8' }, false],
    ['another user agent is another', home, { ...home, userAgent: 'else' }, false],
    ['what tells nothing is nobody’s', nowhere, nowhere, false],
    ['a cookie is one browser on any network', { ...home, cookie: 'shown' }, { ...nowhere, cookie: 'shown' }, true],
    ['where a cookie was shown, its absence is another', { ...home, cookie: 'shown' }, home, false],
    ['where it was lost, nothing is proven', { ...home, cookie: 'lost' }, { ...home, cookie: 'shown' }, false],
  ]
  for (const [name, last, present, expected] of pairs)
    test(name, () => assert.equal(isSameBrowser(last, present), expected))

  test('compare IPv6 addresses by their /64 network, as a device changes the rest', () => {
    const from = (ip: string) => useOf({ ip, user_agent: 'browser' }, 'none')
    assert.ok(isSameBrowser(from('2001:db8:1:2::1'), from('2001:db8:1:2:ffff::9')))
    assert.ok(!isSameBrowser(from('2001:db8:1:2::1'), from('2001:db8:1:3::1')))
  })
})
