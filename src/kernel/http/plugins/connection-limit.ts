import { readFileSync } from 'node:fs'
import fp from 'fastify-plugin'
import { guarded } from '../../lib/guarded.ts'

/** Descriptors reserved for the database, e-mails and backups. */
const RESERVED_DESCRIPTORS = 64
const REPORT_INTERVAL_MS = 10_000

/** Refuses connections before file descriptors run out, and logs this at most every ten seconds. */
export const connectionLimit = fp(
  async (app) => {
    const limit = descriptorLimit()
    let refused = 0
    let reportedAt = Number.NEGATIVE_INFINITY

    const report = (err?: Error) => {
      refused++
      const now = performance.now()
      if (now - reportedAt < REPORT_INTERVAL_MS) return
      app.log.error(
        { refused, descriptor_limit: limit, ...(err && { err }) },
        'connections refused: raise the limit of open files (ulimit -n)',
      )
      reportedAt = now
      refused = 0
    }
    if (limit !== null) {
      app.server.maxConnections = Math.max(RESERVED_DESCRIPTORS, limit - RESERVED_DESCRIPTORS)
      // Otherwise a worker would pass refused connections to another one, which is as full.
      Object.assign(app.server, { dropMaxConnection: true })
      app.server.on(
        'drop',
        guarded(app.log, 'connection limit', () => report()),
      )
    }
    app.server.on('listening', () => app.server.on('error', guarded(app.log, 'connection limit', report)))
  },
  { name: 'connection-limit', fastify: '5.x' },
)

/** Returns the limit of open files; null if it cannot be read. */
function descriptorLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}
