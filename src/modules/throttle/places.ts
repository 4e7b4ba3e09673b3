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
