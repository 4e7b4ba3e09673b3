import { cpSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, Server } from '../lib/bench.ts'
import type { Request } from '../lib/load.ts'
import { latinTerms } from '../lib/names.ts'
import { newcomers, password, post, signUp } from '../lib/people.ts'
import * as pocketbase from '../lib/pocketbase.ts'
import { alternate, type Contender, type Group, type Sample, type Scenario, summarise } from '../lib/results.ts'
import { signInAdmin } from './list.ts'

const users = 100_000
/** The bcrypt cost whose time comes nearest to the service's argon2id. */
const SIMILAR_COST = 8
const starts = 5
const terms = latinTerms.slice(0, 8)

export const peers: Scenario = {
  name: 'peers',
  about: 'PocketBase beside the service: accounts, tokens, lists, start, memory',
  async run(bench) {
    const program = pocketbase.buildPocketBase(bench.folder)
    if (!program) {
      process.stdout.write('Go is not installed, or PocketBase cannot be built: it is left out.\n')
      return []
    }
    return [...(await accounts(bench, program)), ...(await lists(bench, program)), ...(await starting(bench, program))]
  },
}

const load =
  (
    bench: Bench,
    server: Server,
    requests: (seconds: number) => Request[],
    connections: number,
    value: 'perSecond' | 'p95',
  ): Contender =>
  async (seconds) => {
    const load = await bench.load({ url: server.url, requests: requests(seconds), connections, seconds })
    return { value: load[value], ...load }
  }

type Groups = [title: string, contenders: Record<string, Contender>][]

async function measureAll(bench: Bench, groups: Groups, unit: Group['unit']): Promise<Omit<Group, 'scenario'>[]> {
  const measured = []
  for (const [title, contenders] of groups) measured.push({ title, unit, rows: await alternate(bench, contenders) })
  await bench.stopServers()
  return measured
}

async function accounts(bench: Bench, program: string): Promise<Omit<Group, 'scenario'>[]> {
  const ours = await bench.server(await bench.database('sqlite'))
  const theirs = await pocketbase.startPocketBase(bench, program, mkdtempSync(join(bench.folder, 'pocketbase-')))
  const similar = await pocketbase.startPocketBase(bench, program, mkdtempSync(join(bench.folder, 'pocketbase-')))
  await pocketbase.setCost(similar, SIMILAR_COST)
  const people = await signUp(ours, 50)
  const names = {
    ours: 'bukhindor, argon2id',
    theirs: 'PocketBase, bcrypt 10',
    similar: `PocketBase, bcrypt ${SIMILAR_COST}`,
  }
  const members = await pocketbase.members(theirs, 20)
  const similarMembers = await pocketbase.members(similar, 20)
  const many = (seconds: number) => newcomers(1000 * seconds)
  const theirSignUp = (seconds: number) =>
    many(seconds).map((person) => pocketbase.json(pocketbase.paths.signUp, pocketbase.registration(person)))
  const theirSignIn = (of: pocketbase.Member[]) => () =>
    of.map(({ email }) => pocketbase.json(pocketbase.paths.signIn, { identity: email, password }))
  const rate = (server: Server, requests: (seconds: number) => Request[], connections: number) =>
    load(bench, server, requests, connections, 'perSecond')
  const groups: Groups = [
    [
      'Sign-up, SQLite, 8 connections',
      {
        [names.ours]: rate(ours, (seconds) => many(seconds).map((person) => post('/api/v1/auth/register', person)), 8),
        [names.theirs]: rate(theirs, theirSignUp, 8),
        [names.similar]: rate(similar, theirSignUp, 8),
      },
    ],
    [
      'Sign-in, SQLite, 8 connections',
      {
        [names.ours]: rate(ours, () => people.map(({ email }) => post('/api/v1/auth/login', { email, password })), 8),
        [names.theirs]: rate(theirs, theirSignIn(members), 8),
        [names.similar]: rate(similar, theirSignIn(similarMembers), 8),
      },
    ],
    [
      'Refresh, SQLite, 64 connections: ours rotates the token on the disk, theirs signs a new one',
      {
        bukhindor: async (seconds) => {
          const fresh = await signUp(ours, 100 * seconds)
          const requests = fresh.map(({ refreshToken }) =>
            post('/api/v1/auth/refresh', { refresh_token: refreshToken }),
          )
          const plan = { url: ours.url, requests, connections: 64, seconds, chain: 'refresh_token' }
          const result = await bench.load(plan)
          return { value: result.perSecond, ...result }
        },
        PocketBase: rate(
          theirs,
          () => members.map(({ token }) => pocketbase.json(pocketbase.paths.refresh, {}, token)),
          64,
        ),
      },
    ],
    [
      'The current user, SQLite, 64 connections',
      {
        bukhindor: rate(
          ours,
          () => people.map(({ authorization }) => ({ path: '/api/v1/auth/me', headers: { authorization } })),
          64,
        ),
        PocketBase: rate(
          theirs,
          () => members.map(({ id, token }) => ({ path: pocketbase.paths.one(id), headers: { authorization: token } })),
          64,
        ),
      },
    ],
  ]
  return measureAll(bench, groups, 'requests/s')
}

async function lists(bench: Bench, program: string): Promise<Omit<Group, 'scenario'>[]> {
  const ours = await bench.server(await bench.seeded('sqlite', users))
  const authorization = await signInAdmin(bench, ours)
  const dir = mkdtempSync(join(bench.folder, 'pocketbase-'))
  await (await pocketbase.startPocketBase(bench, program, dir)).stop()
  pocketbase.seedPocketBase(dir, users)
  const theirs = await pocketbase.startPocketBase(bench, program, dir)
  const token = await pocketbase.administratorOf(theirs)
  const mine = (query: string) => ({ path: `/api/v1/users?limit=20${query}`, headers: { authorization } })
  const their = (query: string) => ({ path: pocketbase.paths.list(query), headers: { authorization: token } })
  const filter = (term: string) => `&filter=${encodeURIComponent(`name~'${term}'||email~'${term}'`)}`
  const wait = (server: Server, requests: Request[]) => load(bench, server, () => requests, 4, 'p95')
  const of = `${users.toLocaleString('en')} users, SQLite, 4 connections`
  const groups: Groups = [
    [`First page of ${of}`, { bukhindor: wait(ours, [mine('')]), PocketBase: wait(theirs, [their('')]) }],
    [
      `Search for three letters among ${of}`,
      {
        bukhindor: wait(
          ours,
          terms.map((term) => mine(`&q=${term}`)),
        ),
        PocketBase: wait(
          theirs,
          terms.map((term) => their(filter(term))),
        ),
      },
    ],
  ]
  return measureAll(bench, groups, 'ms at p95')
}

async function starting(bench: Bench, program: string): Promise<Omit<Group, 'scenario'>[]> {
  const times = new Map<string, Sample[]>([
    ['bukhindor', []],
    ['PocketBase', []],
  ])
  const memory = new Map<string, Sample[]>([
    ['bukhindor', []],
    ['PocketBase', []],
  ])
  const data = await bench.database('sqlite')
  const empty = mkdtempSync(join(bench.folder, 'pocketbase-'))
  for (let round = 0; round <= starts; round++) {
    const dir = mkdtempSync(join(bench.folder, 'pocketbase-'))
    if (round > 0) cpSync(empty, dir, { recursive: true })
    const open = {
      bukhindor: () => bench.server(data),
      PocketBase: () => pocketbase.startPocketBase(bench, program, round > 0 ? dir : empty),
    }
    for (const [name, start] of Object.entries(open)) {
      const server = await start()
      await sleep(2000)
      // The first start fills the database.
      if (round > 0) times.get(name)?.push({ value: server.readyAfter })
      if (round > 0) memory.get(name)?.push({ value: server.memory() })
      await server.stop()
    }
  }
  return [
    { title: `Start to ready, ${starts} starts`, unit: 'ms', rows: summarise(times) },
    { title: 'Resident memory 2 s after the start', unit: 'MiB', rows: summarise(memory) },
  ]
}
