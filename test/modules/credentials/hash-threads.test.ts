import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hashSync } from '@node-rs/argon2'
import { AppError } from '../../../src/kernel/errors/app-error.ts'
import { hashMemoryMib, hashThreads } from '../../../src/modules/credentials/hash-threads.ts'
import { createPasswords } from '../../../src/modules/credentials/passwords.ts'
import { createClient } from '../../support/process-client.ts'
import { startServer } from '../../support/processes.ts'

const MIB = 2 ** 20
const machine = (cores: number, memory: number) => ({ cores, memory: memory * MIB })

describe('The hashing threads', () => {
  test('are one per core where memory allows, and fewer otherwise', () => {
    const threads = (cores: number, memory: number, workers = 1) =>
      hashThreads('auto', workers, machine(cores, memory)).threads
    assert.equal(threads(2, 24_000), 2)
    assert.equal(threads(16, 16_000), 16)
    assert.equal(threads(16, 512), 3)
    assert.equal(threads(64, 1024), 19)
    assert.equal(threads(16, 128), 1, 'one at least')
    assert.equal(threads(16, 1024, 2), 3, 'of each of two processes')
    assert.equal(threads(3, 24_000, 2), 2)
  })

  test('are HASH_THREADS in number, shared among the workers', () => {
    const threads = (setting: number, workers: number) =>
      hashThreads(setting, workers, machine(4, 512 * workers)).threads
    assert.deepEqual([threads(1, 1), threads(8, 1), threads(8, 2), threads(3, 2), threads(1, 4)], [1, 8, 4, 2, 1])
  })

  test('never use more memory than available, even for the most expensive imported hash', () => {
    for (const cores of [1, 2, 4, 16, 64])
      for (const memory of [512, 768, 1024, 4096])
        for (const workers of [1, 2]) {
          const { threads, memoryMib } = hashThreads('auto', workers, machine(cores, memory * workers))
          assert.ok(160 + 25 * threads + memoryMib <= memory, `${cores} cores, ${memory} MiB`)
          assert.ok(memoryMib >= 256 && memoryMib >= 19 * threads)
        }
  })

  test('fit into the memory of the deployment manifests', () => {
    const limits = ['compose.yaml', 'kubernetes/deployment.yaml'].map((file) => {
      const text = readFileSync(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')
      return Number(/(?:mem_limit: |limits:\s+memory: )(\d+)M?i?m?$/m.exec(text)?.[1])
    })
    assert.equal(limits.length, 2)
    for (const memory of limits) {
      const { threads, memoryMib } = hashThreads('auto', 1, machine(64, memory))
      assert.ok(threads >= 2 && memoryMib >= 256 && 160 + 25 * threads + memoryMib <= memory, `${memory} MiB`)
    }
  })

  test('know the memory cost of a hash', () => {
    const argon2 = (memoryCost: number) => hashSync('x', { algorithm: 2, memoryCost, timeCost: 1, parallelism: 1 })
    assert.equal(hashMemoryMib(null), 19)
    assert.equal(hashMemoryMib(argon2(19_456)), 19)
    assert.equal(hashMemoryMib(argon2(65_536)), 64)
    assert.equal(hashMemoryMib('$argon2id$v=19$m=262144,t=2,p=1$AAAA$AAAA'), 256)
    assert.equal(hashMemoryMib('$argon2id$v=19$m=262145,t=2,p=1$AAAA$AAAA'), 19, 'is not verified')
    assert.equal(hashMemoryMib('$scrypt$ln=17,r=8,p=1$TmFDbA$AAAA'), 128)
    assert.equal(hashMemoryMib('$firebase-scrypt$ln=14,r=8$AAAA$Bw==$AAAA$AAAA'), 19)
    assert.equal(hashMemoryMib('$2b$14$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'), 19)
  })

  test('run as many hashes as fit into memory and queue the rest', async () => {
    const passwords = createPasswords({ threads: 3, memoryMib: 140 })
    const heavy = hashSync('violet tram', { algorithm: 2, memoryCost: 128 * 1024, timeCost: 1, parallelism: 1 })
    const order: string[] = []
    const note = (name: string) => () => order.push(name)
    await Promise.all([
      passwords.hash('a').then(note('a')),
      passwords.verify(heavy, 'violet tram').then(({ ok }) => order.push(ok ? 'heavy' : 'wrong')),
      passwords.hash('b').then(note('b')),
    ])
    assert.deepEqual(order, ['a', 'heavy', 'b'], 'each alone, though there are three threads')
    await passwords.close()
  })

  test('refuse and log a hash that needs more memory than available, and continue', async () => {
    const passwords = createPasswords({ threads: 1, memoryMib: 100 })
    await assert.rejects(passwords.verify('$scrypt$ln=17,r=8,p=1$TmFDbA$AAAA', 'x'), (error) => {
      assert.ok(error instanceof AppError && error.reason === 'overloaded')
      return /128 MiB.*100 MiB/.test(String((error.options.cause as Error).message))
    })
    assert.match(await passwords.hash('a'), /^\$argon2id/)
    await passwords.close()
  })
})

describe('A container of 512 MiB on a node of 16 cores', { skip: process.platform !== 'linux' }, () => {
  test('survives a burst of logins within its memory limit', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-container-'))
    const container = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'
      os.availableParallelism = () => 16; process.constrainedMemory = () => ${512 * MIB}; syncBuiltinESMExports()`
    const server = await startServer({
      DATA_DIR: folder,
      LOG_LEVEL: 'error',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(container)}`,
    })
    try {
      const client = createClient(server.url, { sockets: 300 })
      const logins = Array.from({ length: 300 }, (_, n) => client.login({ email: `burst-${n}@example.org` }))
      const statuses = (await Promise.all(logins)).map(({ status }) => status)
      client.close()
      assert.ok(statuses.every((status) => status === 401 || status === 503))
      assert.ok(statuses.includes(401))
      const niced = readdirSync(`/proc/${server.pid}/task`).filter((thread) => {
        const fields = readFileSync(`/proc/${server.pid}/task/${thread}/stat`, 'utf8').split(') ')[1]?.split(' ')
        return fields?.[16] === '19'
      })
      assert.equal(niced.length, 3)
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024
      assert.ok(peak < 512, `${Math.round(peak)} MiB`)
    } finally {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
