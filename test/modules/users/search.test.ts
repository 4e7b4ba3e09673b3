import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { CompiledQuery } from 'kysely'
import { systemClock } from '../../../src/kernel/lib/clock.ts'
import { createPlanner } from '../../../src/modules/users/search.plan.ts'
import { type AccessPath, type Filters, hasFilters, pageOfUsers } from '../../../src/modules/users/search.store.ts'
import { createAdmin, describeOnEachEngine, signIn, useApp } from '../../support/app.ts'
import { queriesOf } from '../../support/queries.ts'

/** Name and e-mail; each search names the people by their number. */
const PEOPLE = [
  ['Анна Каренина', 'anna.k@example.org'],
  ['АННА АХМАТОВА', 'poet@silver.example'],
  ['Алёна Фёдорова', 'alyona@example.org'],
  ['Алена Иванова', 'ALENA@Example.ORG'],
  ['John O’Neil', 'john@example.com'],
  ["Jane O'Neil", 'jane_100%@example.com'],
  ['Back\\slash "Quote"', 'back@slash.example'],
  ['李小龍', 'bruce@dragon.example'],
  ['Jean-Luc Picard', 'jl+enterprise@example.fr'],
  ['Zoë Ångström', 'zoe@example.se'],
  ['İsmail', 'ismail@example.tr'],
  ['X', 'x@x.example'],
  ['50% off', 'offers@shop.example'],
  ['snake_case', 'snake@zoo.example'],
  ['👩‍🚀 Ada', 'ada@space.example'],
] as const

describeOnEachEngine('A search of users', (engine) => {
  const app = useApp(engine)
  let token = ''
  before(async () => {
    token = (await signIn(app.api, await createAdmin(app.services, { email: 'root@admin.test', name: '~' })))
      .access_token
    for (const [name, email] of PEOPLE) await app.services.operator.create({ name, email })
  })
  async function search(q: string): Promise<number[]> {
    const { body } = await app.api.get(`/api/v1/users?limit=100&sort=email&q=${encodeURIComponent(q)}`, { token })
    assert.equal(body.total, body.users.length)
    const found = body.users.map(({ name }: { name: string }) => PEOPLE.findIndex(([known]) => known === name))
    return found.toSorted((a: number, b: number) => a - b)
  }

  const cases: [string, string, number[]][] = [
    ['a part of a name', 'аренин', [0]],
    ['another case', 'аННа', [0, 1]],
    ['capitals', 'АХМАТ', [1]],
    ['е for ё', 'алена', [2, 3]],
    ['ё for е', 'АЛЁНА', [2, 3]],
    ['ё in the middle', 'федор', [2]],
    ['a part of an e-mail', 'enterpr', [8]],
    ['a domain', 'example.org', [0, 2, 3]],
    ['an e-mail in another case', 'alena@EXAMPLE', [3]],
    ['two words', 'анна кар', [0]],
    ['white space around', '  анна   кар  ', [0]],
    ['words in the other order are another text', 'каренина анна', []],
    ['three Chinese letters', '李小龍', [7]],
    ['letters with marks', 'ÅNGS', [9]],
    ['marks written as letters of their own', 'a\u030angs', [9]],
    ['a typographic apostrophe', 'o’ne', [4]],
    ['a quote', "o'ne", [5]],
    ['double quotes', '"quo', [6]],
    ['a backslash', 'k\\s', [6]],
    ['a percent sign is a percent sign', '0% o', [12]],
    ['a percent sign in an e-mail', '00%@', [5]],
    ['an underscore is an underscore', 'ke_c', [13]],
    ['an underscore in an e-mail', 'ne_1', [5]],
    ['an asterisk is no wildcard', 'an*', []],
    ['the words of a query language mean nothing', 'x OR anna', []],
    ['a column name of a query language', 'name:anna', []],
    ['brackets', '(anna)', []],
    ['a dash', 'n-l', [8]],
    ['a plus', 'l+e', [8]],
    ['an emoji with its joiners is refused, its parts are not', '🚀 ada', [14]],
    ['one letter at the start of a word of a name', 'к', [0]],
    ['one letter at the start of an e-mail', 'b', [6, 7]],
    ['one letter that only stands within words', 'ф', [2]],
    ['one letter of a name and of an e-mail', 'x', [11]],
    ['two letters at the start of a word', 'ах', [1]],
    ['two letters of which the word has one more', 'ал', [2, 3]],
    ['two letters at the start of an e-mail', 'jo', [4]],
    ['two letters within a word are not looked for', 'рб', []],
    ['one Chinese letter', '李', [7]],
    ['one digit', '5', [12]],
    ['one percent sign', '%', []],
    ['one underscore', '_', []],
    ['one quote', '"', [6]],
    ['two quotes', "''", []],
    ['one backslash', '\\', []],
    ['the start of a second word in quotes', '"q', [6]],
    ['a dotted capital I', 'İSM', [10]],
    ['nothing that is there', 'qqqqq', []],
  ]
  for (const [name, q, expected] of cases)
    test(`finds by ${name}: ${q}`, async () => assert.deepEqual(await search(q), expected))

  test('finds everybody with an empty term or only white space', async () => {
    for (const q of ['', '   ']) assert.equal((await search(q)).length, PEOPLE.length + 1)
  })

  test('finds users by their new name and address, not by the old ones', async () => {
    const user = await app.services.operator.create({ name: 'Прежнее Имя', email: 'former@example.net' })
    const body = { name: 'Новая Фамилия', email: 'latter@example.net' }
    await app.api.patch(`/api/v1/users/${user.id}`, { token, body })
    const count = async (q: string) => (await search(q)).length
    assert.deepEqual([await count('прежн'), await count('former'), await count('пр')], [0, 0, 0])
    assert.deepEqual([await count('фамил'), await count('latter'), await count('фа')], [1, 1, 1])
    await app.api.delete(`/api/v1/users/${user.id}`, { token })
    assert.deepEqual([await count('фамил'), await count('latter'), await count('фа')], [0, 0, 0])
  })
})

/** The ways that a list under these filters can go. */
const leads = (filters: Filters): AccessPath[] => [
  'order',
  ...(filters.term ? (['term'] as const) : []),
  ...(hasFilters(filters) ? (['filters'] as const) : []),
]

describe('A search of users without statistics, on SQLite', () => {
  const app = useApp('sqlite')
  const filters: Filters[] = [
    { term: null },
    { term: 'анн' },
    { term: '  а' },
    { term: null, role: 'admin' },
    { term: null, is_active: false },
    { term: null, email_verified: true, created_from: '2026-01-01T00:00:00.000Z' },
    { term: 'анн', role: 'user', is_active: true },
    { term: null, created_to: '2026-01-01T00:00:00.000Z' },
  ]
  const columns = ['created_at', 'email_key', 'name_key', 'last_login_at'] as const

  test('never scans the whole table', async () => {
    const { db } = app.services.database
    const position = { value: 'x', id: '018f3c5e-7d2a-7c1b-9f00-0123456789ab' }
    const queries = await queriesOf(db, async (watched) => {
      for (const filter of filters) {
        await createPlanner(systemClock).of(watched, filter)
        for (const column of columns)
          for (const after of [null, position])
            for (const lead of leads(filter))
              await pageOfUsers(watched, filter, { column, direction: 'desc', limit: 21, offset: 0, after }, lead)
      }
    })
    assert.ok(queries.length >= filters.length * (1 + columns.length * 2))
    for (const { sql, parameters } of queries) {
      const plan = await db.executeQuery<{ detail: string; parent: number }>(
        CompiledQuery.raw(
          `explain query plan ${sql}`,
          [...parameters].map((p) => (typeof p === 'boolean' ? Number(p) : p)),
        ),
      )
      // What was found and put aside by the index of the filters goes by the same name, and is walked once.
      const putAside = sql.includes('from "found" as "users"') ? 1 : 0
      const scans = plan.rows.filter(({ detail }) => detail === 'SCAN users').length
      assert.ok(scans <= putAside, sql)
    }
  })
})
