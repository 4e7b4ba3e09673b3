import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { pbkdf2, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { hashSync } from '@node-rs/argon2'
import { AppError } from '../../../src/kernel/errors/app-error.ts'
import { type FirebaseHash, firebaseHash } from '../../../src/modules/credentials/foreign-hashes.ts'
import { createPasswords, type Passwords } from '../../../src/modules/credentials/passwords.ts'

const RIGHT = { ok: true, rehash: false }
const RIGHT_BUT_OLD = { ok: true, rehash: true }
const WRONG = { ok: false, rehash: false }

/** The threads that the process starts while `during` runs. */
async function startedThreads(during: () => Promise<unknown>): Promise<Worker[]> {
  const threads: Worker[] = []
  const note = (worker: Worker) => threads.push(worker)
  process.on('worker', note)
  await during().finally(() => process.off('worker', note))
  return threads
}

const isReason = (reason: string) => (error: unknown) => error instanceof AppError && error.reason === reason

describe('Passwords', () => {
  let passwords: Passwords
  before(() => {
    passwords = createPasswords({ threads: 2 })
  })
  after(() => passwords.close())

  test('are hashed by argon2id with 19 MiB, 2 passes and 1 lane, salted', async () => {
    const [one, two] = await Promise.all([passwords.hash('violet tram'), passwords.hash('violet tram')])
    assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    assert.notEqual(one, two)
  })

  test('verify against their own hash and no other', async () => {
    const hash = await passwords.hash('violet tram')
    assert.deepEqual(await passwords.verify(hash, 'violet tram'), RIGHT)
    for (const other of ['Violet tram', 'violet tram ', 'violet', '', 'violet tram\0'])
      assert.deepEqual(await passwords.verify(hash, other), WRONG)
  })

  test('are equal in composed and decomposed Unicode', async () => {
    const [composed, decomposed] = ['ёлка и йод'.normalize('NFC'), 'ёлка и йод'.normalize('NFD')]
    assert.notEqual(composed, decomposed)
    assert.deepEqual(await passwords.verify(await passwords.hash(composed), decomposed), RIGHT)
    assert.deepEqual(await passwords.verify(await passwords.hash(decomposed), composed), RIGHT)
  })

  test('are not truncated: the 128th character counts', async () => {
    const long = 'ж'.repeat(127)
    const hash = await passwords.hash(`${long}а`)
    assert.deepEqual(await passwords.verify(hash, `${long}а`), RIGHT)
    assert.deepEqual(await passwords.verify(hash, `${long}б`), WRONG)
  })

  const parameters = {
    '1 pass': { timeCost: 1 },
    '8 MiB': { memoryCost: 8192 },
    '2 lanes': { parallelism: 2 },
    '64 MiB': { memoryCost: 65536 },
    argon2i: { algorithm: 1 },
  }
  for (const [name, options] of Object.entries(parameters))
    test(`with other argon2 parameters, ${name}, verify and need a rehash`, async () => {
      const hash = hashSync('violet tram', { memoryCost: 19456, timeCost: 2, parallelism: 1, ...options })
      assert.deepEqual(await passwords.verify(hash, 'violet tram'), RIGHT_BUT_OLD)
      assert.deepEqual(await passwords.verify(hash, 'violet bus'), WRONG)
    })
})

describe('Imported hashes verify and need a rehash', () => {
  let passwords: Passwords
  before(() => {
    passwords = createPasswords({ threads: 2 })
  })
  after(() => passwords.close())

  // The example of https://github.com/firebase/scrypt
  const firebase: FirebaseHash = {
    signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
    saltSeparator: 'Bw==',
    rounds: 8,
    memCost: 14,
    salt: '42xEC+ixf3L2lw==',
    passwordHash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  }

  const vectors: [name: string, password: string, hash: string][] = [
    // A test vector of jBCrypt; the three prefixes differ only for passwords that broke old implementations
    ['bcrypt 2a', 'abc', '$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
    ['bcrypt 2b', 'abc', '$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
    ['bcrypt 2y', 'abc', '$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
    ['Firebase', 'user1password', firebaseHash(firebase)],
    // RFC 7914, section 12: N = 1024, r = 8, p = 16
    [
      'scrypt',
      'password',
      '$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA',
    ],
  ]
  for (const [name, password, hash] of vectors)
    test(`from ${name}`, async () => {
      assert.deepEqual(await passwords.verify(hash, password), RIGHT_BUT_OLD)
      assert.deepEqual(await passwords.verify(hash, `${password}!`), WRONG)
    })

  // RFC 7914, section 11: PBKDF2-HMAC-SHA-256 of "Password" and "NaCl", 80,000 times
  const digest = Buffer.from(
    '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d',
    'hex',
  ).toString('base64')
  for (const hash of [
    `pbkdf2_sha256$80000$NaCl$${digest}`,
    `$pbkdf2-sha256$i=80000$TmFDbA$${digest.replaceAll('=', '')}`,
    `$pbkdf2-sha256$i=80000,l=64$TmFDbA==$${digest}`,
    `$pbkdf2-sha256$80000$TmFDbA$${digest.replaceAll('=', '').replaceAll('+', '.')}`,
  ])
    test(`from PBKDF2 as ${hash.slice(0, 24)}…`, async () => {
      assert.deepEqual(await passwords.verify(hash, 'Password'), RIGHT_BUT_OLD)
      assert.deepEqual(await passwords.verify(hash, 'password'), WRONG)
    })

  test('except for an invalid Firebase hash, which is refused', () => {
    for (const fault of [
      { rounds: 0 },
      { rounds: 9 },
      { memCost: 15 },
      { memCost: 1.5 },
      { passwordHash: '' },
      { salt: 'a$b' },
    ])
      assert.throws(() => firebaseHash({ ...firebase, ...fault }), RangeError)
  })
})

describe('An unknown account', () => {
  let passwords: Passwords
  before(() => {
    passwords = createPasswords({ threads: 1 })
  })
  after(() => passwords.close())

  for (const hash of [
    null,
    '',
    'plain',
    '$2b$15$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i',
    '$scrypt$ln=30,r=8,p=1$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw',
    '$scrypt$ln=16,r=1,p=1$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw',
    '$firebase-scrypt$ln=14,r=8$$$$',
    'pbkdf2_sha256$99999999$NaCl$TdzY9guYviGDDO5e8icB+Q',
    '$pbkdf2-sha256$1000$TmFDbA$TdzY',
    // Right, but a digest of 15 bytes is too short.
    '$pbkdf2-sha256$1000$TmFDbA$n/LILiQ/oka3iDQaUyEf',
    '$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=19456,t=2,p=1$AAAA',
  ])
    test(`or an unusable hash (${hash}) is answered as a wrong password is`, async () => {
      assert.deepEqual(await passwords.verify(hash, 'plain'), WRONG)
      assert.deepEqual(await passwords.verify(hash, ''), WRONG)
    })

  test('takes as long as a wrong password does', async () => {
    const known = await passwords.hash('violet tram')
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] }
    for (let round = 0; round < 60; round++) {
      for (const kind of round % 2 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
        const start = performance.now()
        await passwords.verify(kind === 'known' ? known : null, 'violet bus')
        times[kind].push(performance.now() - start)
      }
    }
    const slower = times.known.flatMap((one) =>
      times.unknown.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)),
    )
    const auc = slower.reduce<number>((sum, value) => sum + value, 0) / slower.length
    assert.ok(auc > 0.3 && auc < 0.7, `a classifier tells them apart: AUC ${auc.toFixed(2)} of ${slower.length} pairs`)
  })
})

describe('The hashing queue', () => {
  test('refuses work beyond its limit at once and loses nothing else', async () => {
    const passwords = createPasswords({ threads: 2, queueLimit: 6 })
    const tasks = Array.from({ length: 8 }, (_, index) => passwords.hash(`violet tram ${index}`))
    assert.equal(passwords.pending, 8)

    let done = false
    tasks[0]?.then(() => (done = true))
    await assert.rejects(passwords.hash('violet tram 8'), isReason('overloaded'))
    await assert.rejects(passwords.verify(null, 'x'), { options: { retryAfter: 1 } })
    assert.equal(done, false)

    const hashes = await Promise.all(tasks)
    assert.equal(passwords.pending, 0)
    const checks = await Promise.all(hashes.map((hash, index) => passwords.verify(hash, `violet tram ${index}`)))
    assert.deepEqual(checks, Array(8).fill(RIGHT))
    await passwords.close()
  })

  test('is served in order', async () => {
    const passwords = createPasswords({ threads: 1 })
    const order: number[] = []
    await Promise.all([0, 1, 2, 3, 4].map((index) => passwords.hash('violet tram').then(() => order.push(index))))
    assert.deepEqual(order, [0, 1, 2, 3, 4])
    await passwords.close()
  })

  test('is finished before closing and refuses work afterwards', async () => {
    const passwords = createPasswords({ threads: 1 })
    const task = passwords.hash('violet tram')
    const closed = Promise.all([passwords.close(), passwords.close()])
    await assert.rejects(passwords.hash('violet tram'), isReason('shutting_down'))
    assert.match(await task, /^\$argon2id/)
    await closed
    await createPasswords().close()
  })
})

describe('The hashing threads', () => {
  test('start on demand, one per parallel task, up to the limit', async () => {
    const passwords = createPasswords({ threads: 2 })
    assert.equal((await startedThreads(() => passwords.hash('a'))).length, 1)
    assert.equal((await startedThreads(() => passwords.hash('b'))).length, 0)
    assert.equal(
      (await startedThreads(() => Promise.all(['a', 'b', 'c', 'd'].map((text) => passwords.hash(text))))).length,
      1,
    )
    await passwords.close()
  })

  test('that die fail only their own task and are replaced', async () => {
    const passwords = createPasswords({ threads: 1 })
    let doomed: Promise<string> | undefined
    const [thread] = await startedThreads(async () => {
      doomed = passwords.hash('secret of the violet tram')
      await new Promise(setImmediate)
    })
    const next = passwords.hash('violet tram')
    thread?.terminate()
    await assert.rejects(doomed as Promise<string>, (error: Error) => {
      assert.doesNotMatch(`${error.message} ${error.stack}`, /violet/)
      return !(error instanceof AppError)
    })
    assert.match(await next, /^\$argon2id/)
    assert.equal(passwords.pending, 0)
    await passwords.close()
  })

  test('have the lowest priority, and the main thread does not', {
    skip: process.platform !== 'linux',
  }, async () => {
    const passwords = createPasswords({ threads: 1 })
    await passwords.hash('violet tram')
    const niceness = async (thread: string) => {
      const fields = (await readFile(`/proc/self/task/${thread}/stat`, 'utf8')).split(') ')[1]
      return Number(fields?.split(' ')[16])
    }
    const all = await Promise.all((await readdir('/proc/self/task')).map(niceness))
    assert.ok(all.includes(19))
    assert.notEqual(await niceness(String(process.pid)), 19)
    await passwords.close()
  })

  test('do not block the libuv pool', async () => {
    const passwords = createPasswords({ threads: 2 })
    const before = Array.from({ length: 40 }, () => passwords.hash('violet tram'))
    let hashed = 0
    for (const task of before) task.then(() => hashed++)
    await Promise.race(before)
    await promisify(pbkdf2)('x', 'y', 1, 16, 'sha256')
    await promisify(randomBytes)(16)
    assert.ok(hashed < 20, `${hashed} of 40 hashes went before two trifles`)
    await Promise.all(before)
    await passwords.close()
  })

  test('keep the process alive only while they work', async () => {
    const script = `
      const { createPasswords } = await import('${new URL('../../../src/modules/credentials/passwords.ts', import.meta.url)}')
      const passwords = createPasswords()
      passwords.hash('violet tram').then((hash) => console.log(hash))`
    const child = execFile(process.execPath, ['--input-type=module', '--eval', script])
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    const [code] = await once(child, 'close')
    assert.equal(code, 0)
    assert.match(output, /^\$argon2id/)
  })
})
