import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '../../../src/kernel/http/server.ts'
import { createLog } from '../../../src/kernel/log/log.ts'
import { loadConfig } from '../../../src/settings/config.ts'

test('request.log writes lines with the id of the request, and secrets redacted', async () => {
  const lines: Record<string, unknown>[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  const log = await createLog({ logLevel: 'debug', logFormat: 'json' }, { write })
  const app = await createServer(loadConfig({}), log, { draining: false })
  app.get('/', async (request) => {
    request.log.info({ password: 'correct horse' }, 'one')
    request.log.child({ part: 2 }).warn('two')
    request.log.error({ err: new Error('no mail to anna@example.org') }, 'three')
    request.log.trace('too fine for this level')
    return { level: request.log.level }
  })
  const { headers, body } = await app.inject('/')
  await app.close()
  assert.deepEqual(JSON.parse(body), { level: 'debug' })
  const own = lines.filter(({ msg }) => msg !== 'request')
  assert.deepEqual(
    own.map(({ request_id, level, msg, part, password }) => ({ request_id, level, msg, part, password })),
    [
      { level: 'info', msg: 'one', part: undefined, password: '[Redacted]' },
      { level: 'warn', msg: 'two', part: 2, password: undefined },
      { level: 'error', msg: 'three', part: undefined, password: undefined },
    ].map((line) => ({ request_id: headers['x-request-id'], ...line })),
  )
  assert.match(JSON.stringify(own[2]), /"message":"no mail to …@example.org"/)
})
