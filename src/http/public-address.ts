/**
 * Which addresses are of the public internet (IANA special-purpose registries, RFC 6890 and after). What we are told to
 * call must not reach what stands behind our own walls unless the configuration says so: services of the cloud's host
 * (169.254.169.254), neighbours, ourselves. Pure. Main thread.
 */
import { BlockList, isIP } from 'node:net'

const special = new BlockList()
for (const [address, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(address, bits, 'ipv4')
}
for (const [address, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  special.addSubnet(address, bits, 'ipv6')
}

/** Everything that IPv6 has given out as global so far; mapped IPv4, translations and local scopes lie outside. */
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')

/** @param address an IP address as text; anything else is not public */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  if (family === 6) return global6.check(address, 'ipv6') && !special.check(address, 'ipv6')
  return false
}
