import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { median } from './stats.ts'

/** The output of a command, or '' where it is not installed or fails. */
export function outputOf(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch (error) {
    // wrk prints its version and then exits with 1.
    return String((error as { stdout?: string }).stdout ?? '').trim()
  }
}

export interface Cores {
  /** Lists as `taskset -c` takes them; '' leaves the choice to the system. */
  server: string
  load: string
}

/** One half of the cores for what is measured, the other for what drives it. */
export function splitCores(): Cores {
  const ids = allowedCores()
  if (ids.length < 2 || !outputOf('taskset', '--version')) return { server: '', load: '' }
  const half = ids.length >> 1
  return { server: ids.slice(0, half).join(','), load: ids.slice(half).join(',') }
}

function allowedCores(): number[] {
  if (platform() !== 'linux') return []
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}

/**
 * Milliseconds for one append of 4 KiB with fsync, the median of 100: what a durable commit costs at least on the
 * disk under `file`. Writes are compared across machines by this figure first.
 */
export async function fsyncMilliseconds(file: string): Promise<number> {
  const { open, rm } = await import('node:fs/promises')
  const handle = await open(file, 'w')
  const page = Buffer.alloc(4096, 1)
  const times: number[] = []
  for (let index = 0; index < 100; index++) {
    const start = performance.now()
    await handle.write(page)
    await handle.datasync()
    times.push(performance.now() - start)
  }
  await handle.close()
  await rm(file)
  return median(times)
}

/** What the figures were made on and with; goes into the table's head and the JSON. */
export function describeMachine(cores: Cores, postgres: boolean) {
  const root = new URL('../../', import.meta.url)
  const versionOf = (path: string) => {
    try {
      return JSON.parse(readFileSync(new URL(path, root), 'utf8')).version as string
    } catch {
      return 'not installed'
    }
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    pinned: cores.server ? `server on core ${cores.server}, load on core ${cores.load}` : 'not pinned',
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release().split('-')[0]}`,
    commit: outputOf('git', 'rev-parse', '--short', 'HEAD') || 'unknown',
    versions: {
      bukhindor: versionOf('package.json'),
      node: process.versions.node,
      fastify: versionOf('node_modules/fastify/package.json'),
      'better-sqlite3': versionOf('node_modules/better-sqlite3/package.json'),
      pg: versionOf('node_modules/pg/package.json'),
      'better-auth': versionOf('bench/node_modules/better-auth/package.json'),
      pocketbase: outputOf('go', 'version') ? pocketbaseVersion() : 'none',
      postgresql: postgres ? outputOf('psql', '--version').replace(/^\D*([\d.]+).*$/s, '$1') || 'unknown' : 'none',
      load:
        outputOf('wrk', '-v').match(/^wrk \S+/)?.[0] ??
        `autocannon ${versionOf('node_modules/autocannon/package.json')}`,
    },
  }
}

const pocketbaseVersion = (): string =>
  /pocketbase\/pocketbase v(\S+)/.exec(
    readFileSync(new URL('../contenders/pocketbase/go.mod', import.meta.url), 'utf8'),
  )?.[1] ?? 'unknown'

export type Machine = ReturnType<typeof describeMachine>
