import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { SLOW_READER } from '../../config/deadlines.ts'
import { guarded } from '../../lib/guarded.ts'

const CHECK_MS = 1000

interface Progress {
  /** Bytes that the system had taken, and when that was. */
  taken: number
  at: number
}

/**
 * Destroys connections whose reader stands still or takes nearly nothing: what waits for them is memory, and a file of
 * an answer stays open. Only connections with unsent bytes count; an honest reader on a slow line may take its time.
 */
export function createSlowReaderGuard(
  log: Pick<FastifyBaseLogger, 'info' | 'error'>,
  { windowMs, minBytes } = SLOW_READER,
) {
  const connections = new Map<Socket, Progress>()

  function check(): void {
    const now = performance.now()
    for (const [socket, progress] of connections) {
      if (socket.destroyed) {
        connections.delete(socket)
        continue
      }
      const { taken, unsent } = progressOf(socket)
      if (unsent === 0 || taken - progress.taken >= minBytes) {
        progress.taken = taken
        progress.at = now
      } else if (now - progress.at > windowMs) {
        connections.delete(socket)
        log.info({ ip: socket.remoteAddress, sent_bytes: taken, unsent_bytes: unsent }, 'slow reader disconnected')
        socket.resetAndDestroy() // `destroy` alone would leave the kernel to send the rest.
      }
    }
  }

  const timer = setInterval(guarded(log, 'slow readers', check), CHECK_MS).unref()
  return {
    watch: (socket: Socket): void => void connections.set(socket, { taken: 0, at: performance.now() }),
    stop: () => clearInterval(timer),
  }
}

/** Watches every connection of the server. */
export const slowReaders = fp(
  async (app) => {
    const { watch, stop } = createSlowReaderGuard(app.log)
    app.server.on('connection', watch)
    app.addHook('onClose', async () => stop())
  },
  { name: 'slow-readers', fastify: '5.x' },
)

/**
 * How much of what was written to a connection the system has taken, and how much waits. A large answer is one write, of
 * which only the handle knows how far it is; Node's own idle time-out of sockets asks it as well.
 */
export function progressOf(socket: Socket): { taken: number; unsent: number } {
  const { _handle: handle } = socket as unknown as {
    _handle?: { bytesWritten: number; writeQueueSize: number } | null
  }
  if (!handle?.writeQueueSize)
    return { taken: socket.bytesWritten - socket.writableLength, unsent: socket.writableLength }
  return {
    taken: handle.bytesWritten - handle.writeQueueSize,
    unsent: Math.max(handle.writeQueueSize, socket.writableLength),
  }
}
