import { setPriority } from 'node:os'
import { connect } from './connect.ts'
import type { ReadAnswer, ReadQuery } from './reader.ts'
import { cachedStatements } from './statements.ts'

/** A lower priority than the process that serves requests. */
const PRIORITY = 5

// Terminals and systemd send signals to every process of the service; this one exits with its parent instead.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.once('disconnect', () => process.exit())
if (process.platform === 'linux') setPriority(PRIORITY)

const read = cachedStatements(connect(process.argv[2] as string, true))

process.on('message', ({ sql, parameters }: ReadQuery) => {
  process.send?.(answer(sql, parameters))
})

function answer(sql: string, parameters: readonly unknown[]): ReadAnswer {
  try {
    return { rows: read(sql).all(parameters) }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return { failed: { code: code ?? 'SQLITE_ERROR', message } }
  }
}
