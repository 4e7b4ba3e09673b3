import Type from 'typebox'
import type { DatabaseClock } from '../../kernel/db/clock.ts'
import type { Database } from '../../kernel/db/database.ts'
import { PING } from '../../kernel/deadlines.ts'
import { AppError } from '../../kernel/errors.ts'
import { Strict } from '../../kernel/http/schemas.ts'
import type { App, Lifecycle } from '../../kernel/http/server.ts'

const SERVICE = 'bukhindor-backend'

const Health = Strict({
  status: Type.String({ examples: ['ok'] }),
  service: Type.String({ examples: [SERVICE] }),
  version: Type.String(),
  uptime_seconds: Type.Integer(),
})
const Readiness = Strict({
  status: Type.Literal('ready'),
  checks: Strict({
    database: Type.Literal('ok'),
    accepting: Type.Literal('ok'),
    clock: Type.Union([Type.Literal('ok'), Type.Literal('differs')], {
      description:
        '`differs`: this machine’s clock is more than a second from the database’s, which counts. Still ready',
    }),
  }),
})
const tags = ['Operation']

interface Parts {
  database: Database
  clock: Pick<DatabaseClock, 'differs'>
  lifecycle: Lifecycle
  version: string
}

/** Whether the process lives, and whether it should be sent requests. */
export const healthRoutes =
  ({ database, clock, lifecycle, version }: Parts) =>
  async (app: App) => {
    for (const [url, operationId] of [
      ['/health', 'health'],
      ['/api/health', 'apiHealth'],
      ['/health/live', 'live'],
    ] as const)
      app.get(
        url,
        {
          schema: {
            operationId,
            summary: 'Is the process alive?',
            description: 'Answers as long as the process can answer at all, the database notwithstanding.',
            tags,
            response: { 200: Health },
          },
        },
        (_request, reply) => {
          reply.send({ status: 'ok', service: SERVICE, version, uptime_seconds: Math.floor(process.uptime()) })
        },
      )

    app.get(
      '/health/ready',
      {
        config: { reasons: ['shutting_down'] },
        schema: {
          operationId: 'ready',
          summary: 'Should it be sent requests?',
          description: '503 while it goes away or the database does not answer; names each check.',
          tags,
          response: { 200: Readiness },
        },
      },
      async () => {
        const answers = await within(PING, database.ping())
        if (answers && !lifecycle.draining)
          return {
            status: 'ready' as const,
            checks: { database: 'ok', accepting: 'ok', clock: clock.differs ? 'differs' : 'ok' } as const,
          }
        throw new AppError(answers ? 'shutting_down' : 'database_unavailable', {
          retryAfter: 1,
          members: { checks: { database: answers ? 'ok' : 'failed', accepting: lifecycle.draining ? 'failed' : 'ok' } },
        })
      },
    )
  }

/** Whether a promise is fulfilled in time. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), milliseconds)
  const inTime = promise.then(
    () => true,
    () => false,
  )
  return Promise.race([inTime, late]).finally(() => clearTimeout(timer))
}
