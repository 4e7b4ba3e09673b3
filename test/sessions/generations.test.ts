import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { firstGeneration, type Generations, refresh, see } from '../../src/modules/sessions/generations.ts'
import { GRACE, type Machine, play, stories } from './simulation.ts'

const RUNS = 10_000
const real: Machine = { refresh, see }

/** Each throws, with the shortest story that it finds. */
const spares = (machine: Machine) => check(machine, false, 'an honest device was signed out')
const finds = (machine: Machine) => check(machine, true, 'a thief was not found')

function check(machine: Machine, theft: boolean, otherwise: string): void {
  const property = fc.property(stories({ theft }), (story) => {
    assert.deepEqual(play(machine, story), { ended: theft, faults: [] }, otherwise)
  })
  fc.assert(property, { numRuns: RUNS, seed: 20_261_122 })
}

describe('refresh generations', () => {
  test('sign no honest device out, whatever the network does', () => spares(real))
  test('let no thief go unnoticed, whenever the copy was made', () => finds(real))

  const wrongToDevices: Record<string, Machine> = {
    'that does not accept a generation again after a lost answer': {
      ...real,
      refresh: (state, presented, now, grace) =>
        presented === state.current - 1 && !state.seen.some(([seen]) => seen === state.current)
          ? { kind: 'reused' }
          : refresh(state, presented, now, grace),
    },
    'that forgets parallel calls at once': {
      ...real,
      refresh: (state, presented, now) => refresh(state, presented, now, -1),
    },
    'whose grace time is a tenth': {
      ...real,
      refresh: (state, presented, now, grace) => refresh(state, presented, now, grace / 10),
    },
    'that counts the grace time from the handing out': {
      ...real,
      refresh: (state, presented, now, grace) => {
        const verdict = refresh(state, presented, now, grace)
        if (verdict.kind !== 'advanced') return verdict
        const { current, seen } = verdict.next
        return { kind: 'advanced', next: { current, seen: [...seen, [current, now]] } }
      },
    },
    'that gives a second successor': {
      ...real,
      refresh: (state, presented, now, grace) => {
        const verdict = refresh(state, presented, now, grace)
        return verdict.kind === 'repeated'
          ? { kind: 'advanced', next: { ...state, current: state.current + 1 } }
          : verdict
      },
    },
    'that ends a session whose newest writes the database has lost': {
      ...real,
      refresh: (state, presented, now, grace) =>
        presented > state.current ? { kind: 'reused' } : refresh(state, presented, now, grace),
    },
  }
  const blindToThieves: Record<string, Machine> = {
    'that never finds a copy': {
      ...real,
      refresh: (state, presented, now, grace) => {
        const verdict = refresh(state, presented, now, grace)
        return verdict.kind === 'reused' ? { kind: 'repeated' } : verdict
      },
    },
    'that does not note the use of access tokens': { ...real, see: () => null },
    'that takes any past generation within the grace time of the newest': {
      ...real,
      refresh: (state, presented, now, grace) => {
        const verdict = refresh(state, presented, now, grace)
        const [, at = now] = state.seen.at(-1) ?? []
        return verdict.kind === 'reused' && now - at > grace ? { kind: 'repeated' } : verdict
      },
    },
  }
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
    test(name, () => assert.equal(refresh(state, presented, now, GRACE).kind, kind))

  test('of many generations within one grace time the newest sixteen are remembered', () => {
    let state = firstGeneration()
    for (let generation = 0; generation < 100; generation++) {
      const verdict = refresh(state, generation, generation, GRACE)
      assert.ok(verdict.kind === 'advanced')
      state = verdict.next
    }
    assert.equal(state.seen.length, 16)
    assert.equal(refresh(state, 98, 100, GRACE).kind, 'repeated')
    assert.equal(refresh(state, 50, 100, GRACE).kind, 'reused')
  })
})
