import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { startServer } from '../support/processes.ts'
import { ENTRY, folder, run, secret } from './run.ts'

const anna = ['user', 'create', '--email', 'Anna@example.org', '--name', 'Анна']

describe('The command line', () => {
  test('without a command shows the help and exits with 2', async () => {
    const { status, err } = await run([])
    assert.equal(status, 2)
    for (const command of ['serve', 'migrate', 'user', 'openapi', 'config'])
      assert.match(err, new RegExp(`^  ${command}`, 'm'))
  })

  test('explains every command', async () => {
    for (const [path, said] of [
      [[], /^ {2}migrate /m],
      [['serve'], /--no-migrate/],
      [['migrate'], /^ {2}status /m],
      [['user'], /^Examples:/m],
      [['user', 'create'], /--password-stdin/],
    ] as const) {
      const { status, out } = await run([...path, '--help'])
      assert.equal(status, 0)
      assert.match(out, new RegExp(`^Usage: ${['bukhindor', ...path].join(' ')} `))
      assert.match(out, said)
    }
  })

  test('prints its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.deepEqual(await run(['--version']), { status: 0, out: `${version}\n`, err: '' })
  })

  for (const [args, said] of [
    [['nonsense'], /unknown command 'nonsense'/],
    [['config', '--nonsense'], /unknown option '--nonsense'/],
    [['user', 'create', '--email', 'a@example.org'], /'--name <name>' not specified/],
    [[...anna, '--role', 'king'], /Allowed choices are user, admin/],
    [['user', 'set-role', 'a@example.org', 'king'], /Allowed choices are user, admin/],
    [['user', 'set-role', 'a@example.org'], /missing required argument 'role'/],
    [
      ['user', 'create', '--email', 'nonsense', '--name', ' '],
      /email: Please enter a valid e-mail address\.\n +name: Must not be empty/,
    ],
  ] as const)
    test(`exits with 2 for \`${args.join(' ')}\``, async () => {
      const { status, out, err } = await run([...args])
      assert.equal(status, 2)
      assert.equal(out, '')
      assert.match(err, said)
    })
})

describe('bukhindor user', () => {
  test('creates, lists, changes and deletes users, as text and as JSON', async () => {
    const made = await run([...anna, '--role', 'admin', '--password-stdin', '--json'], {
      stdin: 'correct horse battery\n',
    })
    assert.equal(made.err, '')
    const user = JSON.parse(made.out)
    assert.deepEqual([user.email, user.name, user.role, user.is_active], ['Anna@example.org', 'Анна', 'admin', true])
    assert.doesNotMatch(made.out, /password|hash/)

    const boris = await run(['user', 'create', '--email', 'boris@example.org', '--name', 'Борис'])
    assert.match(boris.out, /^Created boris@example\.org \(user, /)
    const listed = await run(['user', 'list', '--json'])
    assert.deepEqual(
      listed.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).email),
      ['boris@example.org', 'Anna@example.org'],
    )
    assert.match(
      (await run(['user', 'list', '--role', 'admin'])).out,
      /^CREATED {5}ROLE {3}STATE {5}E-MAIL {2}NAME\n\d{4}-\d\d-\d\d {2}admin {12}Anna@example\.org {2}Анна\n$/,
    )
    assert.equal((await run(['user', 'list', '--q', 'бор', '--json'])).out.split('\n').length, 2)

    assert.match((await run(['user', 'set-role', 'BORIS@example.org', 'admin'])).out, /^Changed boris/)
    assert.equal(JSON.parse((await run(['user', 'deactivate', 'boris@example.org', '--json'])).out).is_active, false)
    const changed = await run(['user', 'set-password', 'boris@example.org', '--password-stdin'], {
      stdin: 'another good one',
    })
    assert.match(changed.out, /^Changed the password of boris/)
    assert.match((await run(['user', 'activate', 'boris@example.org'])).out, /^Activated boris/)
    const { status, out, err } = await run(['user', 'delete', 'boris@example.org'])
    assert.deepEqual([status, out], [2, ''])
    assert.match(err, /cannot be undone.*--yes/)
    assert.equal((await run(['user', 'list', '--q', 'boris', '--json'])).out.split('\n').length, 2, 'still there')
    assert.match((await run(['user', 'delete', 'boris@example.org', '--yes'])).out, /^Deleted boris/)
    assert.match((await run(['user', 'list'])).out, /^CREATED[^\n]+\n[^\n]+Anna@example\.org[^\n]+\n$/)
  })

  test('applies the rules of the API and names the one that was broken', async () => {
    await run([...anna, '--role', 'admin'])
    for (const [args, said, stdin] of [
      [anna, /e-mail is already taken/],
      [['user', 'delete', 'anna@example.org', '--yes'], /last active administrator/],
      [['user', 'deactivate', 'anna@example.org'], /last active administrator/],
      [['user', 'set-role', 'anna@example.org', 'user'], /last active administrator/],
      [['user', 'activate', 'nobody@example.org'], /user nobody@example\.org does not exist/],
      [['user', 'delete', 'nobody@example.org', '--yes'], /user nobody@example\.org does not exist/],
      [['user', 'set-password', 'anna@example.org', '--password-stdin'], /password: .*too common/, 'password1'],
      [['user', 'set-password', 'anna@example.org', '--password-stdin'], /password: At least 8 characters/, 'short'],
    ] as [string[], RegExp, string?][]) {
      const { status, out, err } = await run(args, { stdin })
      assert.deepEqual([status, out], [1, ''], args.join(' '))
      assert.match(err, said)
    }
  })

  test('asks before a deletion on a terminal and deletes only after yes', async () => {
    await run(['user', 'create', '--email', 'boris@example.org', '--name', 'Борис'])
    for (const [answer, status, said] of [
      ['n', 1, /nothing was changed/],
      ['', 1, /nothing was changed/],
      ['yes', 0, /Deleted boris@example\.org/],
    ] as const) {
      const command = `'${process.execPath}' '${ENTRY}' user delete boris@example.org`
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        cwd: folder,
        env: { PATH: process.env.PATH, DATA_DIR: folder },
      })
      let shown = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (!shown.includes('"yes":') && `${shown}${text}`.includes('"yes":')) child.stdin.write(`${answer}\n`)
        shown += text
      })
      const ended = await new Promise<number | null>((resolve) => child.once('close', resolve))
      assert.match(shown, /Permanently delete boris@example\.org \(Борис\)/)
      assert.match(shown, said)
      assert.equal(ended, status)
    }
  })

  test('exits without an error when the reader of a list closes the pipe', async () => {
    for (const name of ['a', 'b']) await run(['user', 'create', '--email', `${name}@example.org`, '--name', name])
    const child = spawn('sh', ['-c', `"${process.execPath}" "${ENTRY}" user list | head -n 0`], {
      cwd: folder,
      env: { PATH: process.env.PATH, DATA_DIR: folder },
    })
    assert.equal(await text(child.stderr), '')
  })
})

describe('bukhindor config', () => {
  test('shows the effective settings and their origin, with secrets masked', async () => {
    await writeFile(join(folder, '.env'), 'PORT=9001\nJWT_EXPIRATION=5m\n')
    const env = {
      JWT_EXPIRATION: '10m',
      APP_SECRET: secret,
      DATABASE_URL: 'postgres://me:hidden@db.example/app',
      SMTP_URL: 'smtp://me:hidden@mail.example:587',
      MAIL_FROM: 'B <b@example.org>',
    }
    const { status, out } = await run(['config', '--json'], { env })
    assert.equal(status, 0)
    const settings = JSON.parse(out)
    assert.deepEqual(settings.PORT, { value: '9001', from: 'environment' })
    assert.deepEqual(settings.JWT_EXPIRATION, { value: '10m', from: 'environment' })
    assert.deepEqual(settings.APP_URL, { value: 'http://localhost:9001', from: 'default' })
    assert.equal(settings.DATABASE_URL.value, 'postgres://me:***@db.example/app')
    assert.doesNotMatch(out + (await run(['config'], { env })).out, new RegExp(`hidden|${secret}`))
  })

  test('names every invalid setting at once, with the allowed values', async () => {
    const env = { PORT: '99999', WORKERS: '0', LOG_LEVEL: 'loud', JWT_EXPIRATION: '15', APP_SECRET: 'short' }
    for (const command of ['config', 'serve']) {
      const { status, err } = await run([command], { env })
      assert.equal(status, 2)
      assert.match(err, /5 errors/)
      for (const name of Object.keys(env)) assert.match(err, new RegExp(`^  - ${name}\\b.*must be`, 'm'))
      assert.doesNotMatch(err, /short/)
    }
  })

  test('requires APP_SECRET with PostgreSQL', async () => {
    const { status, err } = await run(['config'], { env: { DATABASE_URL: 'postgres://me@db.example/app' } })
    assert.equal(status, 2)
    assert.match(err, /APP_SECRET: required with PostgreSQL/)
  })
})

describe('bukhindor migrate', () => {
  test('applies and reverts migrations and shows the status', async () => {
    const applied = JSON.parse((await run(['migrate', 'up', '--json'])).out).applied
    assert.equal(applied[0], 'users_and_sessions')
    assert.match((await run(['migrate', 'up'])).out, /Nothing to do/)
    const reverted = JSON.parse((await run(['migrate', 'down', '--yes', '--json'])).out).reverted
    assert.equal(reverted, applied.at(-1))
    const { migrations } = JSON.parse((await run(['migrate', 'status', '--json'])).out)
    assert.equal(migrations.at(-1).applied_at, null)
    assert.match((await run(['migrate', 'status'])).out, new RegExp(`${reverted} +pending`))
    const { status, err } = await run(['serve', '--no-migrate'])
    assert.equal(status, 1)
    assert.match(err, new RegExp(`not up to date: ${reverted} pending\\. Run "bukhindor migrate up"`))
  })
})

describe('bukhindor migrate down', () => {
  test('changes nothing without --yes where no terminal can answer', async () => {
    await run(['migrate', 'up'])
    const before = (await run(['migrate', 'status'])).out
    for (const args of [[], ['--json']]) {
      const { status, out, err } = await run(['migrate', 'down', ...args], { stdin: 'yes\n' })
      assert.deepEqual([status, out], [2, ''])
      assert.match(err, /this deletes data\. Add --yes to confirm, or --dry-run/)
    }
    assert.equal((await run(['migrate', 'status'])).out, before)
  })

  test('prints the data that will be lost first, and only that with --dry-run', async () => {
    const [newest] = JSON.parse((await run(['migrate', 'up', '--json'])).out).applied.slice(-1)
    const tried = JSON.parse((await run(['migrate', 'down', '--dry-run', '--json'])).out)
    assert.deepEqual([tried.reverted, tried.would_revert], [null, newest])
    const { err, out } = await run(['migrate', 'down', '--yes'])
    assert.equal(out, `Rolled back ${newest}\n`)
    assert.match(err, new RegExp(`The latest migration is \\d+ \\(${newest}\\)`))
    assert.equal(err.match(/, rows/g)?.length ?? 0, tried.losses.length)
    for (const { table, column, rows } of tried.losses)
      assert.ok(
        err.includes(
          column ? `column ${table}.${column}, rows with a value: ${rows}\n` : `table ${table}, rows: ${rows}\n`,
        ),
      )
  })

  test('is refused while a service uses the database and allowed once it has stopped', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    for (const args of [['--yes'], ['--yes', '--json'], ['--dry-run']]) {
      const { status, out, err } = await run(['migrate', 'down', ...args])
      assert.deepEqual([status, out], [1, ''])
      assert.match(err, new RegExp(`an instance is running on this database \\(.+, process ${server.pid}\\)`))
    }
    await server.stop('SIGINT')
    assert.equal((await run(['migrate', 'down', '--yes'])).status, 0)
  })
})

describe('bukhindor openapi', () => {
  test('prints the document as JSON or YAML and creates no files', async () => {
    const document = JSON.parse((await run(['openapi'])).out)
    assert.equal(document.openapi, '3.1.0')
    assert.match((await run(['openapi', '--yaml'])).out, /^openapi: 3\.1\.0\n/)
    await assert.rejects(stat(join(folder, 'bukhindor.db')))
  })
})
