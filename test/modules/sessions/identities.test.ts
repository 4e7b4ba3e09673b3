import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { AppError } from '../../../src/kernel/errors/app-error.ts'
import { sessionsErrors } from '../../../src/modules/sessions/sessions.errors.ts'
import { createSessions } from '../../../src/modules/sessions/sessions.service.ts'
import { createAdmin, signIn, useApp } from '../../support/app.ts'
import { until } from '../../support/until.ts'

describe('The cache of sessions, on SQLite', () => {
  const t = useApp('sqlite')

  test('reflects commits of the same turn of the event loop', async () => {
    const { database, users, audit } = t.services
    const { session_id: id } = await signIn(t.api, await createAdmin(t.services))
    const sessions = createSessions({ database, users, audit, clock: t.clock, config: t.config })
    await sessions.identify(id, 0) // The first use is noted, which takes turns.
    await nextTurn()
    const file = database.engine === 'sqlite' && t.config.database.engine === 'sqlite' ? t.config.database.file : ''
    const another = new BetterSqlite(file, { timeout: 0 }) // As another process, or the connection that writes.
    /** Takes the write lock, which writes of the service may hold until the end of a turn. */
    const lock = () =>
      until(() => {
        try {
          return another.exec('begin immediate')
        } catch {}
      })
    const commit = (ended: string | null) => {
      another.prepare('update sessions set ended_at = ? where id = ?').run(ended, id)
      another.exec('commit')
    }
    const ended = new AppError(sessionsErrors.session_ended)
    for (let times = 0; times < 40; times++) {
      assert.equal((await sessions.identify(id, 0)).session_id, id)
      await lock()
      // From here on no other turn begins before the sessions are read.
      const before = sessions.identify(id, 0)
      commit(new Date(t.clock.now()).toISOString())
      const after = sessions.identify(id, 0)
      await Promise.all([before, after].map((answer) => assert.rejects(answer, ended)))
      await lock()
      commit(null)
    }
    another.close()
  })
})
