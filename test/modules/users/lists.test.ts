import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { createAdmin, describeOnEachEngine, engines, signIn, type TestApp, useApp } from '../../support/app.ts'

const COUNT = 230
const SORTS = ['created_at', 'email', 'name', 'last_login_at'].flatMap((sort) => [sort, `-${sort}`])

/** Many names, times and logins are equal, so that only the id tells their order. */
const NAMES = ['Анна', 'анна', 'Ёлкина', 'Елкина', 'Bob', 'bob', 'Ångström', 'Zoë', '李雷', '😀 Smile']

/** The same people for each engine: an order that differs between them would show. */
async function populate(app: TestApp): Promise<string> {
  const { access_token } = await signIn(app.api, await createAdmin(app.services, { email: 'root@example.org' }))
  const { db } = app.services.database
  const time = (step: number) => new Date(Date.UTC(2026, 0, 1) + step * 3_600_000).toISOString()
  const rows = Array.from({ length: COUNT }, (_, i) => {
    const name = `${NAMES[i % NAMES.length]}`
    const email = `${['x', 'Y', 'ж'][i % 3]}${(i * 7919) % COUNT}@example.org`
    return {
      id: `018f3c5e-7d2a-7c1b-9f00-${((i * 104_729) % 1_000_003).toString(16).padStart(12, '0')}`,
      email,
      email_key: email.toLowerCase(),
      name,
      name_key: name.toLowerCase().replaceAll('ё', 'е'),
      search_text: `  ${email.toLowerCase()}\n  ${name.toLowerCase().replaceAll('ё', 'е')}`,
      password_hash: null,
      role: i % 50 === 0 ? ('admin' as const) : ('user' as const),
      is_active: i % 5 !== 0,
      email_verified: i % 2 === 0,
      locale: 'ru' as const,
      created_at: time(i % 20),
      updated_at: time(i % 20),
      last_login_at: i % 3 ? time(i % 7) : '1970-01-01T00:00:00.000Z',
    }
  })
  await db.insertInto('users').values(rows).execute()
  return access_token
}

/** How each engine has walked the list, to be compared. */
const walks = new Map<string, string[]>()

describeOnEachEngine('The list of users', (engine) => {
  const app = useApp(engine)
  let token = ''
  before(async () => {
    token = await populate(app)
  })
  const list = async (query: Record<string, string | number>) => {
    const text = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    )
    return app.api.get(`/api/v1/users?${text}`, { token })
  }
  async function walk(query: Record<string, string | number>) {
    const users = []
    let cursor: string | null = null
    let page = 1
    do {
      const { body }: Awaited<ReturnType<typeof list>> = await list({ ...query, ...(cursor !== null && { cursor }) })
      assert.equal(body.page, page++)
      users.push(...body.users)
      cursor = body.next_cursor
    } while (cursor !== null)
    return users
  }
  const ids = (users: { id: string }[]) => users.map(({ id }) => id)

  for (const sort of SORTS)
    test(`is paged by cursor in the order ${sort} without gaps or duplicates`, async () => {
      const [all, big] = [ids(await walk({ sort, limit: 17 })), ids(await walk({ sort, limit: 100 }))]
      assert.equal(new Set(all).size, COUNT + 1)
      assert.deepEqual(all, big)
      walks.set(
        `${engine} ${sort}`,
        all.filter((id) => id.startsWith('018f3c5e')),
      )
    })

  for (const sort of SORTS)
    test(`is the same page by page in the order ${sort}`, async () => {
      const pages = await Promise.all([1, 2, 3, 4, 5].map((page) => list({ sort, limit: 50, page })))
      const byCursor = ids(await walk({ sort, limit: 50 }))
      assert.deepEqual(
        pages.flatMap(({ body }) => ids(body.users)),
        byCursor,
      )
      assert.ok(pages.every(({ body }) => body.total === COUNT + 1 && body.limit === 50))
      assert.equal(pages.at(-1)?.body.next_cursor, null)
      const backwards = sort.startsWith('-') ? sort.slice(1) : `-${sort}`
      assert.deepEqual(ids(await walk({ sort: backwards, limit: 50 })), byCursor.toReversed())
    })

  test('is sorted case-insensitively, newest first by default', async () => {
    const names = (await walk({ sort: 'name', limit: 100 })).map(({ name }) => name.toLowerCase().replaceAll('ё', 'е'))
    assert.deepEqual(
      names,
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    )
    const { body } = await list({})
    assert.equal(body.users.length, 20)
    assert.equal(body.users[0].email, 'root@example.org')
  })

  test('sorts users who never signed in as the least recent', async () => {
    const users = await walk({ sort: 'last_login_at', limit: 100 })
    const never = users.filter(({ last_login_at }) => last_login_at === null).length
    assert.ok(never > 0)
    assert.ok(users.slice(0, never).every(({ last_login_at }) => last_login_at === null))
  })

  const filters: [Record<string, string>, (i: number) => boolean][] = [
    [{ role: 'admin' }, (i) => i % 50 === 0],
    [{ is_active: 'false' }, (i) => i % 5 === 0],
    [{ email_verified: 'true', is_active: 'true' }, (i) => i % 2 === 0 && i % 5 !== 0],
    [{ role: 'user', email_verified: 'false' }, (i) => i % 50 !== 0 && i % 2 !== 0],
    [
      { created_from: '2026-01-01T05:00:00Z', created_to: '2026-01-01T12:00:00+03:00' },
      (i) => i % 20 >= 5 && i % 20 < 9,
    ],
    [{ q: 'bob', is_active: 'true' }, (i) => [4, 5].includes(i % 10) && i % 5 !== 0],
    [{ q: 'елк', role: 'user' }, (i) => [2, 3].includes(i % 10) && i % 50 !== 0],
  ]
  for (const [query, matches] of filters)
    test(`filters by ${Object.entries(query).join(' and ')}`, async () => {
      const expected = Array.from({ length: COUNT }, (_, i) => i).filter(matches).length
      for (const sort of SORTS) {
        const users = await walk({ ...query, created_to: '2026-02-01T00:00:00Z', ...query, sort, limit: 13 })
        assert.equal(new Set(ids(users)).size, expected, sort)
        assert.equal(users.length, expected, sort)
      }
      const { body } = await list({ created_to: '2026-02-01T00:00:00Z', ...query, limit: 1 })
      assert.equal(body.total, expected)
    })

  test('is empty when nobody matches', async () => {
    const { body } = await list({ q: 'nobody at all' })
    assert.deepEqual(body, { users: [], total: 0, page: 1, limit: 20, next_cursor: null })
    assert.deepEqual((await list({ page: 1000 })).body.users, [])
  })

  test('refuses a cursor that was modified or belongs to another order', async () => {
    const { next_cursor: cursor } = (await list({ limit: 5 })).body
    const bytes = Buffer.from(cursor, 'base64url')
    const flipped = (index: number) => {
      const copy = Buffer.from(bytes)
      copy[index] = (copy[index] as number) ^ 1
      return copy.toString('base64url')
    }
    const changed = [
      flipped(0),
      flipped(20),
      flipped(bytes.length - 1),
      cursor.slice(4),
      `${cursor}=`,
      'x',
      'A'.repeat(900),
    ]
    for (const bad of changed) assert.equal((await list({ limit: 5, cursor: bad })).body.reason, 'invalid_cursor', bad)
    assert.equal((await list({ sort: 'name', cursor })).body.reason, 'invalid_cursor')
    assert.equal((await list({ cursor, limit: 5 })).status, 200)
  })

  test('continues at its position while users come and go', async () => {
    const first = (await list({ sort: 'email', limit: 50 })).body
    const { id } = first.users.at(-1)
    await app.services.database.db.deleteFrom('users').where('id', '=', id).execute()
    const second = (await list({ sort: 'email', limit: 50, cursor: first.next_cursor })).body
    assert.equal(new Set([...ids(first.users), ...ids(second.users)]).size, 100)
    assert.ok(second.users[0].email.toLowerCase() > first.users.at(-1).email.toLowerCase())
  })

  const refused: [string, string][] = [
    ['page=0', '/page'],
    ['page=-1', '/page'],
    ['page=1.5', '/page'],
    ['page=x', '/page'],
    ['page=', '/page'],
    ['page=99999999999999999999', '/page'],
    ['limit=0', '/limit'],
    ['limit=1000', '/limit'],
    ['sort=password_hash', '/sort'],
    ['sort=--email', '/sort'],
    ['sort=email;drop', '/sort'],
    ['role=root', '/role'],
    ['is_active=maybe', '/is_active'],
    ['email_verified=2', '/email_verified'],
    ['created_from=yesterday', '/created_from'],
    ['created_to=2026-13-45T00:00:00Z', '/created_to'],
    ['q=%00', '/q'],
    [`q=${'x'.repeat(101)}`, '/q'],
    ['fields=password_hash', '/fields'],
    ['__proto__=1', '/__proto__'],
    ['q=a&q=b', '/q'],
    ['role[]=admin', '/role[]'],
    [`cursor=${'A'.repeat(1001)}`, '/cursor'],
  ]
  for (const [query, path] of refused)
    test(`refuses ${query.slice(0, 40)} and names the parameter`, async () => {
      const answer = await app.api.get(`/api/v1/users?${query}`, { token })
      assert.equal(answer.body.reason, 'validation_failed')
      assert.deepEqual(
        answer.body.fields.map((field: { path: string }) => field.path),
        [path],
      )
    })
})

describe('Both engines', { skip: engines.some(({ skip }) => skip) && 'PostgreSQL is not installed' }, () => {
  for (const sort of SORTS)
    test(`list the same users in the same order ${sort}`, () => {
      assert.deepEqual(walks.get(`sqlite ${sort}`), walks.get(`postgres ${sort}`))
    })
})
