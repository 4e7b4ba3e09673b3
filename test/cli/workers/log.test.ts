import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { forwardLines } from '../../../src/cli/worker-logs.ts'
import { createClient } from '../../support/process-client.ts'
import { freePort } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

const REQUESTS = 6000

describe('The log of several workers', () => {
  test('has every line, and each of them whole, with a slow reader', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-worker-log-'))
    const port = await freePort()
    execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'gate')])
    // Once all processes listen, nothing is read of the pipe until the gate opens: each of them waits for room in it.
    const script =
      'sh -c \'echo $$ > "$0/pid"; exec "$1" bin/bukhindor.js serve\' "$0" "$1" | { sed -u /listening/q; cat "$0/gate" > /dev/null; cat; } > "$0/log"'
    const log = () => readFileSync(join(folder, 'log'), 'utf8')
    writeFileSync(join(folder, 'log'), '')
    const child = spawn('sh', ['-c', script, folder, process.execPath], {
      env: { PATH: process.env.PATH, DATA_DIR: folder, LOG_FORMAT: 'json', WORKERS: '3', PORT: String(port) },
      stdio: ['ignore', 'inherit', 'ignore'],
    })
    const ended = once(child, 'close')
    const url = `http://127.0.0.1:${port}`
    await until(() => log().includes('listening'))
    const client = createClient(url, { sockets: 24 })
    const path = `/health?${'x'.repeat(50)}`
    for (let sent = 0; sent < REQUESTS; sent += 600)
      await Promise.all(Array.from({ length: 600 }, () => client.get(path)))
    client.close()
    writeFileSync(join(folder, 'gate'), '')
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGINT')
    await ended
    const lines = log()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const served = lines.filter(({ msg, route }) => msg === 'request' && route === '/health')
    assert.ok(served.length >= REQUESTS, `${served.length} lines`)
    assert.ok(new Set(served.map(({ worker }) => worker)).size > 1)
    assert.equal(new Set(served.map(({ request_id }) => request_id)).size, served.length)
    assert.equal(lines.at(-1)?.msg, 'shutdown complete')
    rmSync(folder, { recursive: true, force: true })
  })

  test('is forwarded in whole lines, whatever the chunks, including a truncated last line', async () => {
    const output = new PassThrough()
    const written: string[] = []
    const done = forwardLines(output, { writeLines: async (lines) => void written.push(lines.toString()) })
    for (const piece of ['{"a"', ':1}\n{"b":', '2}\n{"c":3}\n', '{"d"']) {
      output.write(piece)
      await pause(1)
    }
    output.end()
    await done
    assert.equal(written.join(''), '{"a":1}\n{"b":2}\n{"c":3}\n{"d"\n')
    assert.ok(written.every((lines) => lines.endsWith('\n')))
  })
})
