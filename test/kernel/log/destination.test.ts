import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { createLogDestination } from '../../../src/kernel/log/destination.ts'

const line = (number: number) => `{"number":${number},"name":"Анна ${'я'.repeat(number % 300)} 👋"}\n`
const lines = (count: number) => Array.from({ length: count }, (_, number) => line(number))

describe('The destination of the log', () => {
  const intoFile = async (work: (fd: number, file: string) => Promise<void> | void): Promise<string> => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-log-'))
    const file = join(folder, 'log')
    const fd = openSync(file, 'w')
    try {
      await work(fd, file)
      return readFileSync(file, 'utf8')
    } finally {
      closeSync(fd)
      rmSync(folder, { recursive: true })
    }
  }
  const flushed = (destination: ReturnType<typeof createLogDestination>) =>
    new Promise<void>((resolve) => destination.flush(() => resolve()))

  test('writes every line whole and in order, in any script', async () => {
    const written = await intoFile(async (fd) => {
      const destination = createLogDestination(fd)
      for (const each of lines(5000)) destination.write(each)
      await flushed(destination)
    })
    assert.equal(written, lines(5000).join(''))
  })

  test('writes a line longer than the buffer in its place', async () => {
    const long = `${'щ'.repeat(200_000)}\n`
    const written = await intoFile(async (fd) => {
      const destination = createLogDestination(fd)
      for (const each of [line(1), long, line(2), long, line(3)]) destination.write(each)
      await flushed(destination)
    })
    assert.equal(written, [line(1), long, line(2), long, line(3)].join(''))
  })

  test('flushes on its own after a short time', async () => {
    const written = await intoFile(async (fd, file) => {
      createLogDestination(fd).write(line(1))
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = setInterval(() => readFileSync(file, 'utf8') && resolve(), 10)
      await promise.finally(() => clearInterval(look))
    })
    assert.equal(written, line(1))
  })

  test('has written everything after a synchronous flush', async () => {
    const written = await intoFile((fd) => {
      const destination = createLogDestination(fd)
      for (const each of lines(100)) destination.write(each)
      destination.flushSync()
    })
    assert.equal(written, lines(100).join(''))
  })

  test('waits for a slow reader and loses nothing at process exit', async () => {
    const script = `
      import { createLogDestination } from './src/kernel/log/destination.ts'
      const destination = createLogDestination(1)
      for (let number = 0; number < 20000; number++) destination.write(JSON.stringify({ number }) + '\\n')
      destination.flush(() => {
        destination.write('the last\\n')
        process.exit(0)
      })`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      cwd: new URL('../../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    await once(child.stdout, 'readable') // the pipe is full by now, and nobody reads
    const written = (await text(child.stdout)).split('\n')
    assert.equal(written.length, 20_002)
    assert.deepEqual(JSON.parse(written[19_999] as string), { number: 19_999 })
    assert.equal(written[20_000], 'the last')
    assert.deepEqual(await exited, [0, null])
  })
})
