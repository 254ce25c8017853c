import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The whole global unicast space of today (RFC 4291, IANA). Nothing outside it is public. */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by number, but served by the cloud host itself: Azure's metadata and key service. */
const PLATFORM_ADDRESSES = new Set(['168.63.129.16']);

/**
 * True for public unicast addresses, IPv4 or IPv6.
 * False for every special range of the IANA registries (private, loopback, link-local and so
 * metadata, CGNAT, multicast, broadcast, reserved, documentation, benchmarking), and for every IPv6
 * address that embeds an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64), because an unknown gateway decides
 * what it reaches.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (isV6(parsed)) return parsed.match(GLOBAL_UNICAST_V6);
  return !PLATFORM_ADDRESSES.has(parsed.toString());
}

function isV6(address: ipaddr.IPv4 | ipaddr.IPv6): address is ipaddr.IPv6 {
  return address.kind() === 'ipv6';
}
