import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../../src/modules/throttle/places.ts'

test('an address counts for itself in IPv4 and for its network of 64 bits in IPv6, however it is written', () => {
  const networks: Record<string, string | null> = {
    '203.0.113.7': '203.0.113.7',
    '::ffff:203.0.113.7': '203.0.113.7',
    '::FFFF:203.0.113.7': '203.0.113.7',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:0DB8:0001:0002::1': '2001:db8:1:2::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    '2001:db8:0:0::1:2': '2001:db8:0:0::/64',
    '2001:db8::': '2001:db8:0:0::/64',
    '2001:db8:0:1::': '2001:db8:0:1::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '::2': '0:0:0:0::/64',
  }
  for (const [address, network] of Object.entries(networks)) assert.equal(networkOf(address), network, address)
})

test('the machine itself is no network', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::ffff:127.0.0.1', '::1', '', null])
    assert.equal(networkOf(address), null)
})
