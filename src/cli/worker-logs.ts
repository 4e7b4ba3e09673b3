import type { Readable } from 'node:stream'
import type { LogDestination } from '../kernel/log/destination.ts'

const LINE_FEED = 10

/**
 * Passes on what a worker logs, in whole lines. It is read only as fast as it is written, so that a slow reader of the
 * log costs no memory here: the worker keeps its lines, and counts those that are lost.
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
  // It was killed in the middle of a line.
  if (rest.length > 0) await destination.writeLines(Buffer.concat([...rest, Buffer.of(LINE_FEED)]))
}
