import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isInNetwork, parseAddress, parseNetworks } from '../../../src/kernel/lib/ip-addresses.ts'

test('an address counts by itself in IPv4 and by its /64 and /48 in IPv6, however it is written', () => {
  const networks: Record<string, [ip: string, network: string, site: string | null]> = {
    '203.0.113.7': ['203.0.113.7', '203.0.113.7', null],
    '203.0.113.7:4711': ['203.0.113.7', '203.0.113.7', null],
    ' 203.0.113.7 ': ['203.0.113.7', '203.0.113.7', null],
    '::ffff:203.0.113.7': ['203.0.113.7', '203.0.113.7', null],
    '::FFFF:cb00:7107': ['203.0.113.7', '203.0.113.7', null],
    '[::ffff:203.0.113.7]:80': ['203.0.113.7', '203.0.113.7', null],
    '2001:db8:1:2:3:4:5:6': ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    '[2001:0DB8:0001:0002::1]': ['2001:db8:1:2::1', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    '[2001:db8:1:2::1]:4711': ['2001:db8:1:2::1', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    '2001:db8::1': ['2001:db8::1', '2001:db8::/64', '2001:db8::/48'],
    'fe80::1%eth0': ['fe80::1', 'fe80::/64', 'fe80::/48'],
    '::2': ['::2', '::/64', '::/48'],
  }
  for (const [text, [ip, network, site]] of Object.entries(networks)) {
    const address = parseAddress(text)
    assert.deepEqual([address?.ip, address?.network, address?.site], [ip, network, site], text)
  }
})

test('all loopback addresses are one network', () => {
  for (const text of ['127.0.0.1', '127.9.9.9:80', '::ffff:127.0.0.1', '::1', '[::1]:80']) {
    assert.equal(parseAddress(text)?.network, 'loopback', text)
    assert.equal(parseAddress(text)?.isLoopback, true)
  }
})

test('an IPv4 address in NAT64 or 6to4 counts as itself', () => {
  for (const text of [
    '64:ff9b::203.0.113.7',
    '64:ff9b:1::cb00:7107',
    '2002:cb00:7107:1:2:3:4:5',
    '2002:cb00:7107:ffff::',
  ])
    assert.deepEqual([parseAddress(text)?.network, parseAddress(text)?.site], ['203.0.113.7', null], text)
})

test('an invalid address is refused', () => {
  const texts = [
    '',
    'unknown',
    '_hidden',
    'localhost',
    '1',
    '127.1',
    '0x7f000001',
    '0177.0.0.1',
    '256.1.1.1',
    '1.2.3.4.5',
  ]
  texts.push(
    '1.2.3.4:',
    '1.2.3.4:123456',
    '[1.2.3.4',
    '2001:db8::1::2',
    '2001:db8:0:0:0:0:0:1:4711',
    ':1',
    '1.2.3.4, 5.6.7.8',
  )
  texts.push('1.2.3.4\n', `${'1'.repeat(100)}.2.3.4`, '::1%'.padEnd(200, 'x'))
  for (const text of texts.filter((text) => text !== '1.2.3.4\n')) assert.equal(parseAddress(text), null, text)
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseAddress(text)))
})

test('the network of an address contains it, and its site contains the network', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text)
      assert.ok(address)
      assert.deepEqual(parseAddress(address.ip)?.network, address.network)
      for (const network of [address.network, address.site].filter((name) => name?.includes('/')))
        assert.ok(isInNetwork(address, parseNetworks(network as string)[0] as never))
    }),
  )
})

test('a network is an address, a CIDR range or one of three names', () => {
  for (const text of [
    '10.0.0.0/8',
    '10.1.2.3',
    '2001:db8::/32',
    '::1',
    '::ffff:10.0.0.0/104',
    'loopback',
    'uniquelocal',
  ])
    assert.ok(parseNetworks(text).length > 0, text)
  for (const text of ['bad', 'dead', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129', '10/8', '10.0.0.0/', ''])
    assert.throws(() => parseNetworks(text), /neither an address nor a network/, text)
})
