import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { outputOf } from './machine.ts'

const live = new Set<ChildProcess>()

// The last net, for an exit that nobody could prepare: a benchmark must not leave a server behind.
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

export interface Launch {
  /** The script and its arguments, run by the Node.js that runs the benchmark, or those of `program`. */
  args: string[]
  program?: string
  env?: Record<string, string>
  /** Cores for `taskset -c`; '' for no pinning. */
  cpus: string
  /** Standard output and error go there. */
  log: string
}

/** Starts a process that `stop` ends; the environment is only what is given, with PATH and HOME. */
export function launch({ args, program = process.execPath, env = {}, cpus, log }: Launch): ChildProcess {
  const command = [...(cpus ? ['taskset', '-c', cpus] : []), program, ...args]
  const output = openSync(log, 'a')
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(command[0] as string, command.slice(1), {
    env: { PATH, HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  live.add(child)
  child.once('exit', () => live.delete(child))
  return child
}

/**
 * Runs a command to its end and gives back what it wrote to standard output.
 * @throws Error with its error output when it fails.
 */
export async function run(
  program: string,
  args: string[],
  { cpus = '', env = {} as Record<string, string>, input = '' } = {},
): Promise<string> {
  const command = [...(cpus ? ['taskset', '-c', cpus] : []), program, ...args]
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(command[0] as string, command.slice(1), { env: { PATH, HOME, NODE_ENV: 'production', ...env } })
  live.add(child)
  child.stdin.on('error', () => {}) // A command that reads nothing may be gone already.
  child.stdin.end(input)
  const [output, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve, reject) => child.once('error', reject).once('close', resolve)),
  ])
  live.delete(child)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${errors || output}`)
  return output
}

/**
 * Waits until `url` answers 2xx.
 * @returns milliseconds of waiting
 * @throws Error with the end of the log when the process ends before, or after 60 s.
 */
export async function untilReady(child: ChildProcess, url: string, log: string): Promise<number> {
  const start = performance.now()
  while (performance.now() - start < 60_000) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const answer = await fetch(url).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return performance.now() - start
    await sleep(5)
  }
  throw new Error(`${url} did not become ready. The end of its log:\n${readFileSync(log, 'utf8').slice(-2000)}`)
}

/** Asks a process to end, and makes it end after 12 s. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 12_000)
  await ended
  clearTimeout(timer)
}

/** A port of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  return Number(outputOf('ps', '-o', 'rss=', '-p', String(pid))) / 1024
}
