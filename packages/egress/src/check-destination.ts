import { isIP } from 'node:net';
import { EgressRefusedError } from './errors.ts';
import type { EgressRules } from './policy.ts';
import { isPublicAddress } from './public-addresses.ts';

/** Where a request goes, once the URL itself was found fit. */
export interface Destination {
  url: URL;
  /** A name or an address, without the brackets of IPv6. */
  host: string;
  port: number;
}

/** Ports from 1024 that a browser's fetch blocks, since other protocols live there (WHATWG Fetch, "bad port"). */
const BLOCKED_PORTS = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10_080,
]);

/**
 * Checks all of a URL that can be checked without asking a resolver. The WHATWG parser has by then
 * turned decimal, octal, hex and short forms of IPv4 into the usual one, so an address is checked here;
 * a connector never asks for a lookup of one.
 * Throws `EgressRefusedError`.
 */
export function checkDestination(text: string, rules: EgressRules): Destination {
  const url = URL.parse === undefined ? parseUrl(text) : URL.parse(text);
  if (url === null) throw new EgressRefusedError('url_refused', 'The URL cannot be read.');
  const scheme = url.protocol.slice(0, -1);
  if (!(rules.schemes as string[]).includes(scheme)) {
    throw new EgressRefusedError(
      'scheme_refused',
      `Only ${rules.schemes.join(' and ')} URLs can be requested.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new EgressRefusedError(
      'credentials_refused',
      'A URL with a user name or password is not requested.',
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  checkPort(host, port, rules);
  if (isIP(host) !== 0) checkAddress(host, host, port, rules);
  return { url, host, port };
}

/** Refuses an address that is denied, or neither public nor allowed. `host` is what the message may name. */
export function checkAddress(address: string, host: string, port: number, rules: EgressRules): void {
  if (rules.deny.hasAddress(address, port) || rules.deny.hasName(host, port)) throw refusedAddress(host);
  if (isPublicAddress(address)) return;
  if (rules.allow.hasAddress(address, port) || rules.allow.hasName(host, port)) return;
  throw refusedAddress(host);
}

function checkPort(host: string, port: number, rules: EgressRules): void {
  const usual = port === 80 || port === 443 || (port >= 1024 && !BLOCKED_PORTS.has(port));
  if (rules.ports === undefined ? usual : rules.ports.includes(port)) return;
  if (rules.allow.hasName(host, port) || rules.allow.hasAddress(host, port)) return;
  throw new EgressRefusedError('port_refused', `Port ${port} is not one that can be requested.`);
}

/** The address itself is not named: what an internal name resolves to is not the caller's to learn. */
function refusedAddress(host: string): EgressRefusedError {
  return new EgressRefusedError('address_refused', `${host} is not at a public address.`);
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
