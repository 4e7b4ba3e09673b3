import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect } from '../../../src/kernel/db/sqlite/connect.ts'
import { cachedStatements } from '../../../src/kernel/db/sqlite/statements.ts'
import { createWriter } from '../../../src/kernel/db/sqlite/writer.ts'

describe('The writer of SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-writer-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  let files = 0

  /** A writer on a new file; `steps` are its statements and what `note` adds. `fail` makes one statement fail. */
  function open(lockWait = 1000) {
    const file = join(folder, `${++files}.db`)
    const connection = connect(file, false)
    connection.pragma('busy_timeout = 0')
    connection.exec('create table rows (name text primary key)')
    const prepare = cachedStatements(connection)
    const steps: string[] = []
    const failures = new Map<string, Error>()
    const writer = createWriter(
      connection,
      (sql) => {
        steps.push(sql)
        const error = failures.get(sql)
        if (error) throw error
        return prepare(sql)
      },
      lockWait,
    )
    const reader = connect(file, true)
    return {
      ...writer,
      connection,
      file,
      steps,
      failures,
      committed: () => reader.prepare('select name from rows order by name').pluck().all(),
      /** Inserts a row in a write of its own. */
      async insert(name: string): Promise<void> {
        const write = await writer.begin()
        try {
          connection.prepare('insert into rows values (?)').run(name)
        } catch (error) {
          await write.rollback()
          throw error
        }
        await write.commit()
        steps.push(`acknowledged ${name}`)
      },
    }
  }
  const code = (error: unknown) => (error as { code?: string }).code

  test('commits the writes of one turn together, and reports none of them before', async () => {
    const { insert, steps, committed } = open()
    await Promise.all(['a', 'b', 'c'].map(insert))
    assert.equal(steps.filter((step) => step === 'commit').length, 1)
    assert.ok(steps.indexOf('acknowledged a') > steps.indexOf('commit'))
    assert.deepEqual(committed(), ['a', 'b', 'c'])
    await insert('d')
    assert.equal(steps.filter((step) => step === 'commit').length, 2)
  })

  test('reverts a write, and no other of its turn', async () => {
    const { insert, begin, connection, committed } = open()
    const reverted = begin().then((write) => {
      connection.exec("insert into rows values ('reverted')")
      return write.rollback()
    })
    await Promise.all([insert('a'), reverted, insert('b')])
    assert.deepEqual(committed(), ['a', 'b'])
  })

  test('reverts a write that fails, and no other of its turn', async () => {
    const { insert, committed } = open()
    const results = await Promise.allSettled(['a', 'a', 'b'].map(insert))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(committed(), ['a', 'b'])
  })

  test('reports a failure only when the writes before it are on the disk', async () => {
    const { insert, begin, steps } = open()
    await Promise.allSettled([
      insert('a'),
      insert('a').catch(() => steps.push('refused')),
      begin().then((w) => w.rollback()),
    ])
    assert.ok(steps.indexOf('refused') > steps.indexOf('commit'))
  })

  test('fails all writes of a turn if their commit fails, and then goes on', async () => {
    const { insert, failures, committed } = open()
    failures.set('commit', Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' }))
    const results = await Promise.allSettled(['a', 'b'].map(insert))
    for (const result of results) assert.equal(result.status === 'rejected' && code(result.reason), 'SQLITE_FULL')
    failures.clear()
    await insert('c')
    assert.deepEqual(committed(), ['c'])
  })

  test('fails the writes that SQLite rolled back with another one', async () => {
    const { insert, begin, connection, committed } = open()
    const first = insert('a')
    const full = begin().then((write) => {
      connection.exec('rollback') // As SQLite does it on a full disk.
      return write.rollback()
    })
    const [lost] = await Promise.allSettled([first, full])
    assert.equal(lost.status === 'rejected' && code(lost.reason), 'SQLITE_IOERR')
    await insert('b')
    assert.deepEqual(committed(), ['b'])
  })

  test('goes on after a write that could not begin because SQLite rolled back', async () => {
    const { insert, begin, connection, failures, committed } = open()
    const first = insert('a')
    await first.catch(() => {}) // A group of its own.
    const second = insert('b')
    const broken = Promise.resolve().then(() => {
      connection.exec('rollback')
      failures.set('savepoint one', Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' }))
      return begin()
    })
    const [lost, refused] = await Promise.allSettled([second, broken])
    failures.clear()
    for (const result of [lost, refused])
      assert.equal(result.status === 'rejected' && code(result.reason), 'SQLITE_IOERR')
    await insert('c')
    assert.deepEqual(committed(), ['a', 'c'])
    assert.equal(connection.inTransaction, false)
  })

  test('keeps its order while a write takes several turns, and takes no more writes into its transaction', async () => {
    const { insert, begin, connection, steps, committed } = open()
    const slow = await begin()
    connection.exec("insert into rows values ('slow')")
    const others = ['a', 'b'].map(insert)
    await nextTurn()
    await nextTurn()
    assert.deepEqual(committed(), [])
    await Promise.all([slow.commit(), ...others])
    assert.equal(steps.filter((step) => step === 'commit').length, 2)
    assert.deepEqual(committed(), ['a', 'b', 'slow'])
  })

  test('runs a statement outside of a transaction between other writes', async () => {
    const { insert, runAlone, connection, committed } = open()
    const [, inTransaction] = await Promise.all([insert('a'), runAlone(() => connection.inTransaction), insert('b')])
    assert.equal(inTransaction, false)
    assert.deepEqual(committed(), ['a', 'b'])
  })

  test('waits for the lock of another process, but not for ever', async () => {
    const { insert, file, committed } = open(100)
    const other = connect(file, false)
    other.exec('begin immediate')
    assert.equal(await insert('a').catch(code), 'SQLITE_BUSY')
    const waiting = insert('b')
    other.exec('commit')
    await waiting
    assert.deepEqual(committed(), ['b'])
  })

  test('refuses writes when too many wait', async () => {
    const { insert, begin, committed } = open(60_000)
    const first = await begin()
    const results = Array.from({ length: 201 }, (_, number) => insert(`${1000 + number}`))
    assert.equal(await results[200]?.catch(({ reason }) => reason), 'overloaded')
    await first.commit()
    await Promise.all(results.slice(0, 200))
    assert.equal(committed().length, 200)
  })
})
