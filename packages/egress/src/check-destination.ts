import { isIP } from 'node:net';
import { EgressRefusedError } from './errors.ts';
import type { EgressRules } from './policy.ts';
import { isPublicAddress } from './public-addresses.ts';

/** The destination of a request whose URL passed the checks. */
export interface Destination {
  url: URL;
  /** A name or an address, without the brackets of IPv6. */
  host: string;
  port: number;
}

/** Ports from 1024 on that a browser's fetch blocks because other protocols use them (WHATWG Fetch, "bad port"). */
const BLOCKED_PORTS = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10_080,
]);

/**
 * Checks a URL as far as possible without resolving its name. A host that is an address is checked here, because a
 * connector does not call its lookup for it; the WHATWG parser has already normalised decimal, octal, hex and short
 * forms of IPv4.
 * Throws `EgressRefusedError`.
 */
export function checkDestination(text: string, rules: EgressRules): Destination {
  const url = URL.parse === undefined ? parseUrl(text) : URL.parse(text);
  if (url === null) throw new EgressRefusedError('url_refused', 'The URL is not valid.');
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
      'URLs with a user name or a password cannot be requested.',
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  checkPort(host, port, rules);
  if (isIP(host) !== 0) checkAddress(host, host, port, rules);
  return { url, host, port };
}

/**
 * Refuses an address that is denied, or neither public nor allowed. Messages name `host` and never the address.
 * Throws `EgressRefusedError`.
 */
export function checkAddress(address: string, host: string, port: number, rules: EgressRules): void {
  if (rules.deny.hasAddress(address, port) || rules.deny.hasName(host, port)) throw refusedAddress(host);
  if (isPublicAddress(address)) return;
  if (rules.allow.hasAddress(address, port) || rules.allow.hasName(host, port)) return;
  throw refusedAddress(host);
}

function checkPort(host: string, port: number, rules: EgressRules): void {
  const isUsual = port === 80 || port === 443 || (port >= 1024 && !BLOCKED_PORTS.has(port));
  if (rules.ports === undefined ? isUsual : rules.ports.includes(port)) return;
  if (rules.allow.hasName(host, port) || rules.allow.hasAddress(host, port)) return;
  throw new EgressRefusedError('port_refused', `Port ${port} cannot be requested.`);
}

/** The address is not named: callers must not learn what an internal name resolves to. */
function refusedAddress(host: string): EgressRefusedError {
  return new EgressRefusedError('address_refused', `${host} is not at a public address.`);
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
