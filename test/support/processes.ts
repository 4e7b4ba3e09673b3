import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** How long a server may take to become ready, in milliseconds: far longer than needed, as the machine may be busy. */
const PATIENCE = 30_000

const ENTRY = fileURLToPath(import.meta.resolve('../../bin/bukhindor.js'))

export interface ServerProcess {
  url: string
  pid: number
  /** All that it has printed so far. */
  output(): string
  /** Stops reading its output, like a log collector that has died. */
  closeOutput(): void
  /** Sends the signal and waits for the exit. Returns the exit status: null if the signal itself ended the process. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/**
 * Starts `bukhindor serve` as a separate process and waits until `/health/ready` answers 200.
 * @param env all of its settings, `DATA_DIR` at least; the port is a free one unless `PORT` says which
 * @param args further arguments of `serve`
 * @param descriptors the limit of open file descriptors; that of this process by default
 * @throws with its output, if it exits first or is not ready in time
 */
export async function startServer(
  env: Record<string, string>,
  args: string[] = [],
  descriptors?: number,
): Promise<ServerProcess> {
  const port = env.PORT ?? String(await freePort())
  const isFound = port === '0' // by the server itself, which prints its address
  const inherited = { PATH: process.env.PATH, NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE }
  const line = [process.execPath, ENTRY, 'serve', ...args]
  const limited = descriptors ? ['sh', '-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, ...line] : line
  const child = spawn(limited[0] as string, limited.slice(1), {
    env: { ...inherited, HOST: '127.0.0.1', ...env, PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  killWithThisProcess(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const url = isFound ? await told(child, () => output) : `http://127.0.0.1:${port}`
  if (!(await isReady(child, url))) {
    child.kill('SIGKILL')
    throw new Error(`the server did not get ready (exit status ${await ended}):\n${output}`)
  }
  return {
    url,
    pid: child.pid as number,
    output: () => output,
    closeOutput: () => {
      child.stdout.destroy()
      child.stderr.destroy()
    },
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return ended
    },
  }
}

async function told(child: ChildProcess, output: () => string): Promise<string> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const [, url] = /running at (http\S+)/.exec(output()) ?? []
    if (url) return url
    if (child.exitCode !== null || performance.now() > deadline) return 'http://127.0.0.1:0'
    await delay(20)
  }
}

async function isReady(child: ChildProcess, url: string): Promise<boolean> {
  const deadline = performance.now() + PATIENCE
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    const ready = await fetch(`${url}/health/ready`).then(
      async (response) => (await response.text()) && response.ok,
      () => false,
    )
    if (ready) return true
    await delay(20)
  }
  return false
}

function killWithThisProcess(child: ChildProcess): void {
  const guard = afterThisProcess('kill -9 "$0"', [String(child.pid)])
  // Its process id may be reused.
  child.once('exit', () => guard.kill('SIGKILL'))
}

/**
 * Runs a shell script when this process has ended, even by `kill -9`: the shell, in a session of its own, waits on a pipe
 * that the kernel closes with the process. Neither of them keeps this process alive.
 * @param args become `$0`, `$1` and so on
 */
export function afterThisProcess(script: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const shell = spawn('sh', ['-c', `read -r _; ${script}`, ...args], {
    ...options,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  const pipe = shell.stdin as unknown as { unref(): void }
  pipe.unref()
  return shell
}

/** Returns a TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
