import Type from 'typebox'
import { PING_TIMEOUT_MS } from '../../kernel/config/deadlines.ts'
import type { DatabaseClock } from '../../kernel/db/clock.ts'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { Strict } from '../../kernel/http/schemas.ts'
import type { App, Lifecycle } from '../../kernel/http/types.ts'

const SERVICE = 'bukhindor-backend'

const Health = Strict(
  {
    status: Type.String({ examples: ['ok'] }),
    service: Type.String({ examples: [SERVICE] }),
    version: Type.String({ examples: ['0.1.0'] }),
    uptime_seconds: Type.Integer({ examples: [86400] }),
  },
  { title: 'Health' },
)
const Readiness = Strict(
  {
    status: Type.Literal('ready'),
    checks: Strict({
      database: Type.Literal('ok'),
      accepting: Type.Literal('ok'),
      clock: Type.Union([Type.Literal('ok'), Type.Literal('differs')], {
        description:
          '`differs`: the clock of this machine differs by more than a second from the clock of the database, which is used. The instance is still ready',
      }),
    }),
  },
  { title: 'Readiness' },
)
/** Additional problem members of a failed readiness check. */
export const readinessMembers = {
  checks: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Only for `/health/ready`' })),
}
const tags = ['Operation']

interface Parts {
  database: Database
  clock: Pick<DatabaseClock, 'differs'>
  lifecycle: Lifecycle
  version: string
}

/** Liveness and readiness checks. */
export const healthRoutes =
  ({ database, clock, lifecycle, version }: Parts) =>
  async (app: App) => {
    for (const [url, operationId, summary] of [
      ['/health', 'checkHealth', 'Health check'],
      ['/api/health', 'checkApiHealth', 'API health check'],
      ['/health/live', 'checkLiveness', 'Liveness check'],
    ] as const)
      app.get(
        url,
        {
          schema: {
            operationId,
            summary,
            description: 'Responds with 200 as long as the process runs, regardless of the database.',
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
        config: { errors: [kernelErrors.shutting_down] },
        schema: {
          operationId: 'checkReadiness',
          summary: 'Readiness check',
          description:
            'Responds with 503 while the instance is shutting down or its database does not respond, and lists each check.',
          tags,
          response: { 200: Readiness },
        },
      },
      async () => {
        const isReachable = await within(PING_TIMEOUT_MS, database.ping())
        if (isReachable && !lifecycle.draining)
          return {
            status: 'ready' as const,
            checks: { database: 'ok', accepting: 'ok', clock: clock.differs ? 'differs' : 'ok' } as const,
          }
        throw new AppError(isReachable ? kernelErrors.shutting_down : kernelErrors.database_unavailable, {
          retryAfter: 1,
          members: {
            checks: { database: isReachable ? 'ok' : 'failed', accepting: lifecycle.draining ? 'failed' : 'ok' },
          },
        })
      },
    )
  }

/** Returns whether a promise is fulfilled in time. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: timeout, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), milliseconds)
  const settled = promise.then(
    () => true,
    () => false,
  )
  return Promise.race([settled, timeout]).finally(() => clearTimeout(timer))
}
