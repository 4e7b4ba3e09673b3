import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { guarded } from '../../lib/guarded.ts'
import { type Address, isInNetwork, parseAddress, parseNetworks } from '../../lib/ip-addresses.ts'

/** The client of a request, for the log, audit events, sessions and rate limits. */
export interface Client {
  /** Null if the connection was closed before its address was read. */
  ip: string | null
  /** What limits by address count by; null if they do not apply: loopback in development. */
  network: string | null
  /** What limits by site count by: the /48 network in IPv6. Null in IPv4. */
  site: string | null
}

declare module 'fastify' {
  interface FastifyRequest {
    readonly client: Client
  }
  interface FastifyInstance {
    /** Returns the client of a raw request, also of one whose path could not be parsed. */
    clientOf(request: IncomingMessage): Client
  }
}

export interface ClientConfig {
  production: boolean
  /** Addresses and networks of trusted proxies, or their number. */
  trustProxy: string[] | number | false
}

/** Maximum number of addresses in `X-Forwarded-For` that are evaluated. */
const MAX_PROXIES = 32
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']
const CLIENT = Symbol('client')
const UNKNOWN_CLIENT: Client = { ip: null, network: null, site: null }

/**
 * Adds `request.client`: the nearest address that is not a trusted proxy (`TRUST_PROXY`), or the proxy that forwarded
 * an invalid one. Loopback is exempt from limits only in development, without signs of a proxy.
 */
export const client = fp<{ config: ClientConfig }>(
  async (app, { config: { trustProxy, production } }) => {
    const isTrusted = trustChecker(trustProxy)
    const peers = new WeakMap<Socket, Address>()
    let isWarned = false

    function peerOf(socket: Socket): Address | null {
      const known = peers.get(socket)
      if (known) return known
      const address = parseAddress(socket.remoteAddress ?? '')
      if (address) peers.set(socket, address)
      return address
    }

    function clientOf(request: IncomingMessage & { [CLIENT]?: Client }): Client {
      request[CLIENT] ??= resolveClient(request)
      return request[CLIENT]
    }

    function resolveClient(request: IncomingMessage): Client {
      const peer = peerOf(request.socket)
      if (!peer) return UNKNOWN_CLIENT
      const forwarded = request.headers['x-forwarded-for'] as string | undefined
      if (forwarded !== undefined && !isTrusted(peer, 0)) warnOnce(peer)
      const { ip, isLoopback, network, site } = forwarded === undefined ? peer : nearestUntrusted(peer, forwarded)
      const isExempt = isLoopback && !production && !FORWARDING_HEADERS.some((name) => name in request.headers)
      return isExempt ? { ip, network: null, site: null } : { ip, network, site }
    }

    function nearestUntrusted(peer: Address, forwarded: string): Address {
      let address = peer
      const forwardedAddresses = forwarded.split(',').reverse().slice(0, MAX_PROXIES)
      for (const [hop, forwardedAddress] of forwardedAddresses.entries()) {
        const next = isTrusted(address, hop) ? parseAddress(forwardedAddress) : null
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

    app.server.on('connection', guarded(app.log, 'client', peerOf)) // A closed socket has no `remoteAddress`.
    app.decorateRequest('client', {
      getter(this: FastifyRequest) {
        return clientOf(this.raw)
      },
    })
    app.decorate('clientOf', clientOf)
  },
  { name: 'client', fastify: '5.x' },
)

/** Returns a function that checks whether an address is a trusted proxy, by hop or by network. */
function trustChecker(proxies: ClientConfig['trustProxy']): (address: Address, hop: number) => boolean {
  if (proxies === false) return () => false
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies
  const networks = proxies.flatMap(parseNetworks)
  return (address) => networks.some((network) => isInNetwork(address, network))
}
