import { readFileSync } from 'node:fs'
import fp from 'fastify-plugin'
import { guarded } from '../../lib/guarded.ts'

/** Descriptors that are kept for the database, mails and backups. */
const RESERVED_DESCRIPTORS = 64
const REPORT_EVERY_MS = 10_000

/**
 * Refuses connections for which there are no descriptors left, before the system does so without a word, and says it in
 * the log, at most once in ten seconds.
 */
export const connectionLimit = fp(
  async (app) => {
    const limit = descriptorLimit()
    let refused = 0
    let reportedAt = Number.NEGATIVE_INFINITY

    const report = (err?: Error) => {
      refused++
      const now = performance.now()
      if (now - reportedAt < REPORT_EVERY_MS) return
      app.log.error(
        { refused, descriptor_limit: limit, ...(err && { err }) },
        'connections refused: raise the limit of open files (ulimit -n)',
      )
      reportedAt = now
      refused = 0
    }
    if (limit !== null) {
      app.server.maxConnections = Math.max(RESERVED_DESCRIPTORS, limit - RESERVED_DESCRIPTORS)
      // A worker would otherwise hand what it refuses to another one, which is as full.
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

/** How many files and connections the process may have open; null where the system does not tell. */
function descriptorLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}
