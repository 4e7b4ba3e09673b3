import type { Device } from '../../kernel/origin.ts'

/** Shorter names of devices are no names but kinds: `iPhone` may be anybody's. */
const SHORTEST_ID = 16

/**
 * The network that an address counts for: itself in IPv4, its first 64 bits in IPv6, which are one household. Null for
 * the machine itself: behind a proxy that `TRUST_PROXY` does not name, that would be everybody.
 */
export function networkOf(ip: string | null): string | null {
  if (!ip) return null
  const [address = ''] = ip.toLowerCase().split('%') // without the zone
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  if (v4) return v4.startsWith('127.') ? null : v4
  if (address === '::1') return null
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text ? text.split(':') : [])
  const [start, end] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? 0 : 8 - start.length - end.length
  const all = [...start, ...Array<string>(Math.max(0, zeros)).fill('0'), ...end]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}

/** What makes a device the same one at its next sign-in: the name that the app gives it, else where and what it is. */
export const deviceText = ({ device_id, ip, user_agent }: Device): string =>
  device_id && device_id.length >= SHORTEST_ID ? `id\n${device_id}` : `at\n${networkOf(ip) ?? ''}\n${user_agent ?? ''}`
