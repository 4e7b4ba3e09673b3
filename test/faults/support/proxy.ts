import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Context } from './fault.ts'

/**
 * A TCP proxy on a free port of 127.0.0.1 whose `delay` (ms, each way of each chunk) can be changed at any time; `cut`
 * ends its connections and refuses new ones until it is called with false.
 */
export async function startProxy(host: string, port: number) {
  const sockets = new Set<Socket>()
  const proxy = { port: 0, delay: 0, close: () => {}, cut: (_isCut: boolean) => {} }
  let isCut = false
  const server = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(port, host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('close', () => sockets.delete(from))
      from.on('error', () => to.destroy())
      from.on('data', (chunk) => {
        if (proxy.delay && from === near) setTimeout(() => to.writable && to.write(chunk), proxy.delay)
        else to.write(chunk)
      })
      from.on('end', () => to.end())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as { port: number }).port
  proxy.cut = (cut) => {
    isCut = cut
    if (cut) for (const socket of sockets) socket.destroy()
  }
  proxy.close = () => {
    server.close()
    proxy.cut(true)
  }
  return proxy
}

/** A PostgreSQL behind a proxy that can slow it down: `url` leads through the proxy, `direct` past it. */
export async function startSlowPostgres(context: Context) {
  const postgres = await context.postgres()
  const proxy = await startProxy('127.0.0.1', postgres.port)
  context.defer(proxy.close)
  const direct = await postgres.createDatabase()
  return { proxy, direct, url: direct.replace(`:${postgres.port}/`, `:${proxy.port}/`) }
}
