import type { Readable } from 'node:stream'
import type { LogDestination } from '../kernel/log/destination.ts'

const LINE_FEED = 10

/**
 * Forwards the log of a worker in whole lines. Reads only as fast as it can write, so that a slow reader of the log
 * costs no memory here.
 * @see docs/decisions/0010-one-writer-of-the-log.md
 */
export async function forwardLines(output: Readable, destination: Pick<LogDestination, 'writeLines'>): Promise<void> {
  let rest: Buffer[] = []
  for await (const chunk of output as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1
    if (end > 0) {
      await destination.writeLines(Buffer.concat([...rest, chunk.subarray(0, end)]))
      rest = []
    }
    if (end < chunk.length) rest.push(chunk.subarray(end))
  }
  // The worker was killed in the middle of a line.
  if (rest.length > 0) await destination.writeLines(Buffer.concat([...rest, Buffer.of(LINE_FEED)]))
}
