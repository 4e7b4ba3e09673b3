import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/**
 * What matters of a pooler between the service and PostgreSQL: connections of the service stay, whatever server answers
 * them. `use(n)` sends what comes from now on to another of `ports`. The servers must let in without a password.
 */
export async function startPooler(ports: number[]) {
  const sockets = new Set<Socket>()
  let current = 0
  const server = createServer((near) => {
    const upstreams = ports.map((port) => connect(port, '127.0.0.1'))
    let isOpen = false
    near.on('data', (chunk) => {
      for (const [index, upstream] of upstreams.entries()) if (!isOpen || index === current) upstream.write(chunk)
    })
    for (const [index, upstream] of upstreams.entries()) {
      upstream.on('data', (chunk) => {
        // The servers begin alike; the service hears of one of them.
        if (isOpen ? index === current : index === 0) near.write(chunk)
        if (index === 0) isOpen ||= isReady(chunk)
      })
    }
    for (const socket of [near, ...upstreams]) {
      sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          for (const other of [near, ...upstreams]) other.destroy()
        })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    use(index: number): void {
      current = index
    },
    close(): void {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Whether a server has said ReadyForQuery at the end of this. */
const isReady = (chunk: Buffer): boolean => chunk.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5]))
