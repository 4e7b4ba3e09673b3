import { write, writeSync } from 'node:fs'

/** Size of the buffer of lines, and number of lines that wait when it is full while another one is written. */
const CHUNK_BYTES = 65_536
const MAX_WAITING_LINES = 50_000
/** How long a line may wait in the buffer, in ms. */
const MAX_DELAY_MS = 100
/** Pause before writing to a full pipe again, in ms. */
const FULL_PIPE_PAUSE_MS = 20

export interface LogDestination {
  write(line: string): void
  /** Writes whole lines of another process between those of this one. Resolves when they are written. */
  writeLines(lines: Buffer): Promise<void>
  /** Writes all lines, then calls back. */
  flush(done?: (error?: Error) => void): void
  /** Writes all lines synchronously, when the process exits. */
  flushSync(): void
}

/**
 * Writes log lines to a file descriptor in large chunks, off the main thread. Each line is encoded into the buffer as
 * soon as it is logged.
 * @see docs/decisions/0008-own-waits-on-the-hot-path.md
 */
export function createLogDestination(fd: number): LogDestination {
  let filling = Buffer.allocUnsafe(CHUNK_BYTES)
  let spare = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  let writing = false
  let waiting: string[] = []
  let foreign: { lines: Buffer; done: () => void }[] = []
  let lost = 0
  let timer: NodeJS.Timeout | undefined
  let flushCallbacks: ((error?: Error) => void)[] = []

  function add(line: string): void {
    if (waiting.length > 0 || !fits(line)) {
      if (waiting.length < MAX_WAITING_LINES) waiting.push(line)
      else lost++
      drain()
      return
    }
    filled += filling.write(line, filled)
    timer ??= setTimeout(drain, MAX_DELAY_MS).unref()
  }

  /** A UTF-16 code unit takes at most three bytes of UTF-8. */
  const fits = (line: string): boolean => line.length * 3 <= CHUNK_BYTES - filled

  function drain(): void {
    clearTimeout(timer)
    timer = undefined
    if (writing) return
    const next = nextChunk()
    if (next) {
      writing = true
      writeChunk(next.lines, 0, next.done)
    } else finish()
  }

  function nextChunk(): { lines: Buffer; done?: () => void } | undefined {
    if (filled > 0) {
      const lines = filling.subarray(0, filled)
      ;[filling, spare, filled] = [spare, filling, 0]
      return { lines }
    }
    const line = waiting.shift()
    return line === undefined ? foreign.shift() : { lines: Buffer.from(line) }
  }

  function writeChunk(chunk: Buffer, from: number, done?: () => void): void {
    write(fd, chunk, from, chunk.length - from, null, (error, written) => {
      if (error?.code === 'EAGAIN') return void setTimeout(writeChunk, FULL_PIPE_PAUSE_MS, chunk, from, done)
      // Other errors, such as a closed pipe or a full disk, drop the chunk: the service keeps running.
      if (!error && from + written < chunk.length) return writeChunk(chunk, from + written, done)
      writing = false
      done?.()
      refill()
    })
  }

  function refill(): void {
    let taken = 0
    while (taken < waiting.length && fits(waiting[taken] as string))
      filled += filling.write(waiting[taken++] as string, filled)
    waiting = waiting.slice(taken)
    if (lost > 0 && waiting.length === 0) {
      const line = `{"level":"warn","time":"${new Date().toISOString()}","lost":${lost},"msg":"log lines were lost"}\n`
      lost = 0
      add(line)
    }
    if (waiting.length > 0 || foreign.length > 0 || flushCallbacks.length > 0) drain()
    else if (filled > 0) timer ??= setTimeout(drain, MAX_DELAY_MS).unref()
  }

  function finish(): void {
    const callbacks = flushCallbacks
    flushCallbacks = []
    for (const done of callbacks) done()
  }

  function flushSync(): void {
    const theirs = foreign.map(({ lines }) => lines)
    const rest = Buffer.concat([filling.subarray(0, filled), Buffer.from(waiting.join('')), ...theirs])
    filled = 0
    waiting = []
    foreign = []
    for (let from = 0, tries = 0; from < rest.length && tries < 100; )
      try {
        from += writeSync(fd, rest, from)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
        tries++
      }
  }

  process.on('exit', flushSync)
  return {
    write: add,
    writeLines: (lines) =>
      new Promise((done) => {
        foreign.push({ lines, done })
        drain()
      }),
    flush(done) {
      if (done) flushCallbacks.push(done)
      drain()
    },
    flushSync,
  }
}
