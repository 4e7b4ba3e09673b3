import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import pg from 'pg'
import type { Db } from '../../../src/kernel/db/database.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, signIn, type TestApp, useApp } from '../../support/app.ts'
import { holdRequest } from '../../support/held.ts'

interface Actor {
  id: string
  email: string
  session_id: string
  access_token: string
}

interface Write {
  /** `admin` where only an administrator may do it to somebody else. */
  who: 'signed in' | 'admin'
  body?: (actor: Actor) => object
}

const write = (who: Write['who'], body?: object): Write => ({ who, ...(body && { body: () => body }) })

/** Every write that needs a token. One that is added without a row here fails. */
const WRITES: Record<string, Write> = {
  'POST /api/v1/auth/logout': write('signed in'),
  'POST /api/v1/auth/logout-all': write('signed in', { keep_current: true }),
  'PATCH /api/v1/auth/me': write('signed in', { name: 'Renamed' }),
  'DELETE /api/v1/auth/me': write('signed in', { password: PASSWORD }),
  'POST /api/v1/auth/change-password': write('signed in', {
    current_password: PASSWORD,
    new_password: 'another walk in the rain',
  }),
  'POST /api/v1/auth/verify-email/resend': write('signed in'),
  'POST /api/v1/auth/change-email': {
    who: 'signed in',
    body: ({ email }) => ({ new_email: `new-${email}`, password: PASSWORD }),
  },
  'DELETE /api/v1/auth/sessions/{id}': write('signed in'),
  'PUT /api/v1/users/{id}': write('admin', { role: 'admin' }),
  'PATCH /api/v1/users/{id}': write('admin', { role: 'admin' }),
  'POST /api/v1/users': {
    who: 'admin',
    body: ({ email }) => ({ email: `made-${email}`, name: 'Made', role: 'admin', password: PASSWORD }),
  },
  'DELETE /api/v1/users/{id}': write('admin'),
  'DELETE /api/v1/users/{id}/sessions': write('admin'),
  'DELETE /api/v1/users/{id}/sessions/{sid}': write('admin'),
  'POST /api/v1/users/{id}/reset-password': write('admin'),
}

/** What takes a right away, by the database alone, and what a write is answered after it. */
const LOSSES: Record<string, { sql: (db: Db, actor: Actor) => Promise<unknown>; answer: [number, string] }> = {
  'demotes them': {
    sql: (db, { id }) => db.updateTable('users').set({ role: 'user' }).where('id', '=', id).execute(),
    answer: [403, 'forbidden'],
  },
  'deactivates them': {
    sql: (db, { id }) => db.updateTable('users').set({ is_active: false }).where('id', '=', id).execute(),
    answer: [401, 'session_ended'],
  },
  'ends their session': {
    sql: (db, { session_id }) =>
      db.updateTable('sessions').set({ ended_at: new Date().toISOString() }).where('id', '=', session_id).execute(),
    answer: [401, 'session_ended'],
  },
}

describeOnEachEngine('Rights count when a request acts', (engine) => {
  const t = useApp(engine)
  let boss: Actor
  let actor: Actor
  let other: Actor

  before(async () => {
    boss = await signIn(t.api, await createAdmin(t.services))
    actor = await signIn(t.api, await createAdmin(t.services))
    other = await signIn(t.api, await someone())
  })

  let people = 0
  async function someone(role: 'user' | 'admin' = 'user') {
    const email = `rights-${engine}-${++people}@example.org`
    return t.services.operator.create({ email, name: 'Somebody', role, password: PASSWORD })
  }

  /** The actor as an administrator who has just signed in, whatever has become of them. */
  async function restored(): Promise<Actor> {
    const { db } = t.services.database
    await db.updateTable('users').set({ role: 'admin', is_active: true }).where('id', '=', actor.id).execute()
    await db.deleteFrom('throttles').execute()
    actor = await signIn(t.api, actor)
    await isSignedIn(actor)
    return actor
  }
  const isSignedIn = async ({ access_token: token }: Actor) => assert.equal((await t.api.me(token)).status, 200)

  const pathOf = (template: string, { id, session_id }: Actor) =>
    template.replace('{id}', template.includes('/auth/sessions/') ? session_id : id).replace('{sid}', session_id)

  /** Everything that a write could have changed; of mails only which there are, as they are sent meanwhile. */
  async function state() {
    const { db } = t.services.database
    const tables = ['users', 'sessions', 'one_time_tokens'] as const
    const mails = db.selectFrom('outbox').select(['id', 'kind', 'recipient']).execute()
    const rows = await Promise.all([...tables.map((table) => db.selectFrom(table).selectAll().execute()), mails])
    return rows.map((list) => list.map((row) => JSON.stringify(row)).sort())
  }

  const losers = (who: Write['who']) =>
    Object.entries(LOSSES).filter(([loss]) => who === 'admin' || loss !== 'demotes them')

  test('the table has every write that needs a token', () => {
    const { paths } = t.app.swagger() as unknown as { paths: Record<string, Record<string, { security: object[] }>> }
    const writes = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([method, { security }]) => method !== 'get' && security.some((way) => 'bearer' in way))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    )
    assert.deepEqual(Object.keys(WRITES).sort(), writes.sort())
  })

  for (const [route, { who, body }] of Object.entries(WRITES)) {
    const [method, template] = route.split(' ') as [string, string]

    test(`${route}: a body that arrives after the right was lost changes nothing`, async () => {
      for (const [loss, { answer }] of losers(who)) {
        const caller = await restored()
        const path = pathOf(template, who === 'admin' ? other : caller)
        const held = await holdRequest(t.url, method, path, {
          headers: { authorization: `Bearer ${caller.access_token}` },
          ...(body && { body: body(caller) }),
        })
        for (let i = 0; i < 3; i++) await isSignedIn(caller) // Sent after it: by now its headers have been read.
        await lose(loss, caller)
        const before = await state()
        const { status, text } = await held.finish()
        assert.deepEqual([status, JSON.parse(text).reason], answer, loss)
        assert.deepEqual(await state(), before, loss)
      }
    })

    test(`${route}: a right lost just before the transaction counts as lost`, async () => {
      for (const [loss, { sql, answer }] of losers(who)) {
        const caller = await restored()
        const { database } = t.services
        const result = await aroundTransaction(
          t,
          async (run) => {
            await sql(database.db, caller)
            return run()
          },
          () =>
            t.api.request(method, pathOf(template, who === 'admin' ? other : caller), {
              token: caller.access_token,
              body: body?.(caller) ?? {},
            }),
        )
        assert.deepEqual([result.status, result.body.reason], answer, loss)
      }
    })

    test(`${route}: a right cannot be lost while its transaction runs`, { skip: engine === 'sqlite' }, async () => {
      const caller = await signIn(t.api, await someone('admin'))
      const target = who === 'admin' ? await signIn(t.api, await someone()) : caller
      await isSignedIn(caller)
      const { database } = t.config
      const client = new pg.Client({ connectionString: database.engine === 'postgres' ? database.url : '' })
      await client.connect()
      const free: string[] = []
      try {
        const result = await aroundTransaction(
          t,
          (run) =>
            run(async () => {
              for (const [table, id] of [
                ['users', caller.id],
                ['sessions', caller.session_id],
              ])
                await client.query(`select 1 from ${table} where id = $1 for no key update nowait`, [id]).then(
                  () => free.push(table as string),
                  (error) => assert.equal(error.code, '55P03', error.message),
                )
            }),
          () =>
            t.api.request(method, pathOf(template, target), {
              token: caller.access_token,
              body: body?.(caller) ?? {},
            }),
        )
        assert.ok(result.status < 300, JSON.stringify(result.body))
        assert.deepEqual(free, [], 'these rows could have been changed meanwhile')
      } finally {
        await client.end()
      }
    })
  }

  async function lose(loss: string, { id, access_token: token }: Actor): Promise<void> {
    const answer =
      loss === 'ends their session'
        ? await t.api.post('/api/v1/auth/logout', { token })
        : await t.api.patch(`/api/v1/users/${id}`, {
            token: boss.access_token,
            body: loss === 'demotes them' ? { role: 'user' } : { is_active: false },
          })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  }

  test('a body that arrives after the right was lost is not validated', async () => {
    for (const [loss, { answer }] of losers('admin')) {
      const caller = await restored()
      const held = await holdRequest(t.url, 'PATCH', `/api/v1/users/${other.id}`, {
        headers: { authorization: `Bearer ${caller.access_token}`, 'idempotency-key': 'held' },
        body: { colour: 'green' },
      })
      for (let i = 0; i < 3; i++) await isSignedIn(caller)
      await lose(loss, caller)
      const { status, text } = await held.finish()
      assert.deepEqual([status, JSON.parse(text).reason], answer, loss)
    }
  })

  test('a demoted administrator can still change their own name and nothing else', async () => {
    const caller = await restored()
    const path = `/api/v1/users/${caller.id}`
    const headers = { authorization: `Bearer ${caller.access_token}` }
    const promoting = await holdRequest(t.url, 'PATCH', path, { headers, body: { role: 'admin' } })
    const renaming = await holdRequest(t.url, 'PATCH', path, { headers, body: { name: 'Renamed' } })
    for (let i = 0; i < 3; i++) await isSignedIn(caller)
    await lose('demotes them', caller)
    assert.equal((await promoting.finish()).status, 403)
    const { status, text } = await renaming.finish()
    assert.deepEqual([status, JSON.parse(text).name, JSON.parse(text).role], [200, 'Renamed', 'user'])
  })

  test('a session acts for its own user only', async () => {
    const caller = await restored()
    const acts = t.services.sessions.actAs({ id: other.id, session_id: caller.session_id }, async () => 'done')
    await assert.rejects(acts, { reason: 'session_ended' })
  })

  test('the old password confirms nothing after the same session has changed it', async () => {
    for (const [method, path, body] of [
      ['POST', '/change-email', { new_email: `later-${engine}@example.org`, password: PASSWORD }],
      ['DELETE', '/me', { password: PASSWORD }],
      ['POST', '/change-password', { current_password: PASSWORD, new_password: 'yet another walk' }],
    ] as const) {
      const caller = await restored()
      const { db } = t.services.database
      const set = (password_hash: string | null) =>
        db.updateTable('users').set({ password_hash }).where('id', '=', caller.id).execute()
      const { password_hash } = await db
        .selectFrom('users')
        .select('password_hash')
        .where('id', '=', caller.id)
        .executeTakeFirstOrThrow()
      const answer = await aroundTransaction(
        t,
        async (run) => {
          await set('changed')
          return run()
        },
        () => t.api.request(method, `/api/v1/auth${path}`, { token: caller.access_token, body }),
      )
      await set(password_hash)
      assert.deepEqual([answer.status, answer.body.reason], [403, 'password_wrong'], path)
    }
  })
})

/** Does `around` with the next transaction that `request` brings about; what it gives to `run` is done at its end. */
async function aroundTransaction<T>(
  { services: { database } }: TestApp,
  around: (run: (atItsEnd?: () => Promise<void>) => Promise<unknown>) => Promise<unknown>,
  request: () => Promise<T>,
): Promise<T> {
  const { transaction } = database
  database.transaction = ((work: (trx: Db) => Promise<unknown>) => {
    database.transaction = transaction
    return around((atItsEnd) =>
      transaction(async (trx) => {
        const result = await work(trx)
        await atItsEnd?.()
        return result
      }),
    )
  }) as typeof transaction
  try {
    return await request()
  } finally {
    database.transaction = transaction
  }
}
