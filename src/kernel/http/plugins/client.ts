import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { guarded } from '../../lib/guarded.ts'
import { type Address, isInNetwork, parseAddress, parseNetworks } from '../../lib/ip-addresses.ts'

/** Who calls, as the log, the audit log, the sessions and the limits all have it. */
export interface Client {
  /** Null where the connection was gone before anybody could look. */
  ip: string | null
  /** What limits by address count; null for what they do not count: the machine itself, in development. */
  network: string | null
  /** What the wider limits count: the 48 bits in IPv6. Null where there are none. */
  site: string | null
}

declare module 'fastify' {
  interface FastifyRequest {
    readonly client: Client
  }
  interface FastifyInstance {
    /** Who sends a request, also one that has no `client` since its path could not be parsed. */
    clientOf(request: IncomingMessage): Client
  }
}

export interface ClientConfig {
  production: boolean
  /** Addresses and networks of trusted proxies, or how many there are in a row. */
  trustProxy: string[] | number | false
}

/** Further addresses of `X-Forwarded-For` are not looked at: no chain of proxies is longer. */
const MAX_PROXIES = 32
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']
const KNOWN = Symbol('client')
const NOBODY: Client = { ip: null, network: null, site: null }

/**
 * Adds `request.client`: the nearest address that no trusted proxy vouches for (`TRUST_PROXY`). Proxies may write a port;
 * what is no address ends the chain, and the proxy that wrote it is the client.
 *
 * The machine itself is counted like any other address, for it may be a proxy that nobody has told of: only in
 * development, and only where nothing hints at a proxy, limits by address leave it alone.
 */
export const client = fp<{ config: ClientConfig }>(
  async (app, { config: { trustProxy, production } }) => {
    const isTrusted = trust(trustProxy)
    const peers = new WeakMap<Socket, Address>()
    let isWarned = false

    function peerOf(socket: Socket): Address | null {
      const known = peers.get(socket)
      if (known) return known
      const address = parseAddress(socket.remoteAddress ?? '')
      if (address) peers.set(socket, address)
      return address
    }

    function clientOf(request: IncomingMessage & { [KNOWN]?: Client }): Client {
      request[KNOWN] ??= look(request)
      return request[KNOWN]
    }

    function look(request: IncomingMessage): Client {
      const peer = peerOf(request.socket)
      if (!peer) return NOBODY
      const forwarded = request.headers['x-forwarded-for'] as string | undefined
      if (forwarded !== undefined && !isTrusted(peer, 0)) warnOnce(peer)
      const { ip, isLoopback, network, site } = forwarded === undefined ? peer : nearestUntrusted(peer, forwarded)
      const isExempt = isLoopback && !production && !FORWARDING_HEADERS.some((name) => name in request.headers)
      return isExempt ? { ip, network: null, site: null } : { ip, network, site }
    }

    function nearestUntrusted(peer: Address, forwarded: string): Address {
      let address = peer
      const claims = forwarded.split(',').reverse().slice(0, MAX_PROXIES)
      for (const [hop, claim] of claims.entries()) {
        const next = isTrusted(address, hop) ? parseAddress(claim) : null
        if (!next) return address
        address = next
      }
      return address
    }

    function warnOnce(peer: Address): void {
      if (isWarned || !(peer.isLoopback || peer.isPrivate)) return
      isWarned = true
      app.log.warn(
        { proxy: peer.ip },
        'received X-Forwarded-For from a proxy that TRUST_PROXY does not include: rate limits by address treat all clients behind it as one',
      )
    }

    app.server.on('connection', guarded(app.log, 'client', peerOf)) // A socket that has gone does not tell any more whose it was.
    app.decorateRequest('client', {
      getter(this: FastifyRequest) {
        return clientOf(this.raw)
      },
    })
    app.decorate('clientOf', clientOf)
  },
  { name: 'client', fastify: '5.x' },
)

/** Whether an address is a trusted proxy: by its distance from here, or by where it is. */
function trust(proxies: ClientConfig['trustProxy']): (address: Address, hop: number) => boolean {
  if (proxies === false) return () => false
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies
  const networks = proxies.flatMap(parseNetworks)
  return (address) => networks.some((network) => isInNetwork(address, network))
}
