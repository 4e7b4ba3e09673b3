import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceText } from '../../src/modules/throttle/places.ts'

test('a device is what the app names it, or where and what it is when the name is short or missing', () => {
  const device = { device_id: null, app_type: null, app_version: null, user_agent: 'browser', ip: '203.0.113.7' }
  const named = { ...device, device_id: 'a-name-that-is-long-enough' }
  assert.equal(deviceText(named), deviceText({ ...named, ip: '198.51.100.1', user_agent: 'newer' }))
  assert.equal(deviceText(device), deviceText({ ...device, device_id: 'iPhone', app_version: '2' }))
  const others = [named, device, { ...device, ip: '203.0.113.8' }, { ...device, user_agent: 'another' }]
  assert.equal(new Set(others.map(deviceText)).size, others.length)
})
