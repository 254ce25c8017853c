import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** One entry: an address range or a name, for one port or (null) all ports. */
interface Entry {
  range: Range | null;
  name: string | null;
  port: number | null;
}

/** A parsed list of addresses and names from the operator's configuration. */
export interface AddressList {
  hasName(name: string, port: number): boolean;
  hasAddress(address: string, port: number): boolean;
}

/**
 * Reads a list such as `['127.0.0.1:4010', '10.0.0.0/8', '[::1]:80', 'fd00::/8', 'localhost']`:
 * an address, a CIDR range or a name, each with an optional port. Names match exactly.
 * Throws a `TypeError` that names the invalid entry.
 */
export function parseAddressList(entries: readonly string[]): AddressList {
  const parsed = entries.map(parseEntry);
  return {
    hasName(name, port) {
      const plain = withoutRootDot(name);
      return parsed.some((entry) => entry.name === plain && portMatches(entry, port));
    },
    hasAddress(address, port) {
      if (isIP(address) === 0) return false;
      // A mapped address (::ffff:10.0.0.1) is treated as its IPv4 address.
      const plain = ipaddr.process(address);
      return parsed.some(
        ({ range, port: only }) =>
          range !== null &&
          (only === null || only === port) &&
          plain.kind() === range[0].kind() &&
          plain.match(range),
      );
    },
  };
}

function portMatches(entry: Entry, port: number): boolean {
  return entry.port === null || entry.port === port;
}

function parseEntry(entry: string): Entry {
  if (ipaddr.isValidCIDR(entry) && isIP(entry.slice(0, entry.indexOf('/'))) !== 0) {
    return { range: ipaddr.parseCIDR(entry), name: null, port: null };
  }
  if (isIP(entry) !== 0) return { range: singleAddress(entry), name: null, port: null };

  const parts = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/[\]]+))(?::(?<port>\d{1,5}))?$/.exec(entry)?.groups;
  const host = parts?.v6 ?? parts?.host;
  const port = parts?.port === undefined ? null : Number(parts.port);
  if (host === undefined || (port !== null && (port < 1 || port > 65_535))) throw invalidEntry(entry);
  if (isIP(host) !== 0) return { range: singleAddress(host), name: null, port };
  if (parts?.v6 !== undefined || !/^[a-z0-9._-]+$/i.test(host)) throw invalidEntry(entry);
  return { range: null, name: withoutRootDot(host.toLowerCase()), port };
}

/** `internal.example.` and `internal.example` are the same name. */
function withoutRootDot(name: string): string {
  return name.replace(/\.$/, '');
}

function singleAddress(address: string): Range {
  const parsed = ipaddr.process(address);
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
}

function invalidEntry(entry: string): TypeError {
  return new TypeError(`"${entry}" is not an address, a CIDR range or a host name, with or without a port.`);
}
