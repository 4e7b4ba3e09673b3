import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { LRUCache } from 'lru-cache'

/** An IP address, and the networks that rate limits count it by. */
export interface Address {
  /** The shortest notation, without a zone; an IPv4-mapped IPv6 address as IPv4. */
  ip: string
  value: IP
  isLoopback: boolean
  isPrivate: boolean
  /** The IPv4 address itself, or the /64 network in IPv6, which is one household or mobile device. */
  network: string
  /** The /48 network in IPv6, the largest that providers commonly assign to one customer. Null in IPv4. */
  site: string | null
}

type IP = ipaddr.IPv4 | ipaddr.IPv6

const MAX_CACHED_ADDRESSES = 10_000
const addresses = new LRUCache<string, Address>({ max: MAX_CACHED_ADDRESSES })

/** Parses an address as sockets and proxies write it, with or without a port. Returns null if it is not an address. */
export function parseAddress(text: string): Address | null {
  const known = addresses.get(text)
  if (known) return known
  const address = parseNew(text)
  if (address) addresses.set(text, address)
  return address
}

function parseNew(text: string): Address | null {
  const ip = parse(withoutPort(text.trim()))
  if (!ip) return null
  const [network, site] = networksOf(ip)
  const range = ip.range()
  return {
    ip: ip.toString(),
    value: ip,
    isLoopback: range === 'loopback',
    isPrivate: ['private', 'uniqueLocal', 'linkLocal'].includes(range),
    network,
    site,
  }
}

/** Removes the port, which some proxies add (Azure Application Gateway, IIS): `203.0.113.7:4711`, `[2001:db8::1]:4711`. */
const withoutPort = (text: string): string =>
  /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1] ?? text

/** Parses strictly: rejects `127.1` and `0x7f000001`. */
function parse(text: string): IP | null {
  const [bare = ''] = text.split('%') // without the zone
  if (text.length > 64 || !isIP(bare)) return null
  return ipaddr.process(bare)
}

/**
 * Returns network and site. Addresses that embed IPv4 count as that: otherwise all of IPv4 behind a NAT64 (RFC 6052)
 * would be one network, and one IPv4 address would have the 65,536 networks of its 6to4 prefix (RFC 3056).
 */
function networksOf(ip: IP): [network: string, site: string | null] {
  if (ip.kind() === 'ipv4') return ip.range() === 'loopback' ? [LOOPBACK, null] : [ip.toString(), null]
  const bytes = ip.toByteArray()
  if (ip.range() === 'loopback') return [LOOPBACK, null]
  if (isIn(ip, NAT64) || isIn(ip, LOCAL_NAT64)) return [bytes.slice(12).join('.'), null]
  if (isIn(ip, SIX_TO_FOUR)) return [bytes.slice(2, 6).join('.'), null]
  return [prefix(bytes, 64), prefix(bytes, 48)]
}

/** The network of all loopback addresses. */
const LOOPBACK = 'loopback'

const prefix = (bytes: number[], bits: number): string =>
  `${new ipaddr.IPv6(bytes.map((byte, index) => (index < bits / 8 ? byte : 0)))}/${bits}`

export type Network = [IP, number]

const isIn = (ip: IP, [base, bits]: Network): boolean =>
  ip.kind() === base.kind() && (ip as ipaddr.IPv6).match(base as ipaddr.IPv6, bits)

export const isInNetwork = ({ value }: Address, network: Network): boolean => isIn(value, network)

/** Returns the networks of a name (`loopback`, `linklocal`, `uniquelocal`), an address or a CIDR. Throws an Error otherwise. */
export function parseNetworks(text: string): Network[] {
  const named = NAMED[text as keyof typeof NAMED]
  if (named) return named.flatMap(parseNetworks)
  const [address = '', bits, ...rest] = text.split('/')
  const ip = isIP(address) ? ipaddr.parse(address) : null
  const longest = ip?.kind() === 'ipv4' ? 32 : 128
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
  if (!ip || rest.length > 0 || length < 0 || length > longest)
    throw new Error(`"${text}" is neither an address nor a network such as 10.0.0.0/8`)
  if (ip instanceof ipaddr.IPv6 && ip.isIPv4MappedAddress() && length >= 96) return [[ip.toIPv4Address(), length - 96]]
  return [[ip, length]]
}

const NAMED = {
  loopback: ['127.0.0.0/8', '::1'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
}

const [NAT64, LOCAL_NAT64, SIX_TO_FOUR] = ['64:ff9b::/96', '64:ff9b:1::/48', '2002::/16'].map(
  (text) => parseNetworks(text)[0],
) as [Network, Network, Network]
