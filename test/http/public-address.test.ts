import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPublicAddress } from '../../src/http/public-address.ts'

describe('public addresses', () => {
  it('are what the registries leave: no loopback, private, link-local, carrier, test or multicast ones', () => {
    const refused = [
      '127.0.0.1',
      '127.255.255.254',
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '192.0.2.7',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.9',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      'fe80::1',
      'fc00::1',
      'fd12::1',
      'ff02::1',
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
      '::ffff:8.8.8.8',
      '64:ff9b::a00:1',
      '2002:7f00:1::',
      '2001::1',
      '2001:db8::1',
      'example.com',
      '',
    ]
    assert.deepEqual(refused.filter(isPublicAddress), [])
    const taken = ['8.8.8.8', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1']
    assert.deepEqual(taken.filter(isPublicAddress), taken)
  })
})
