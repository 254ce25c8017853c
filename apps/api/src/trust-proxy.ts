import { isIP } from 'node:net';

/** Express's `trust proxy`: how many proxies are before this service, or their addresses. */
export type TrustedProxies = false | number | string[];

const MOST_HOPS = 16;
const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal']);

/**
 * Parses a number of proxies, or addresses, ranges and Express's names for them, comma-separated; empty: none. Null
 * where it is invalid. Trust in all addresses is not offered: any client could then claim any address.
 */
export function readTrustedProxies(text: string): TrustedProxies | null {
  const entries = text.split(',').flatMap((entry) => entry.trim() || []);
  const [first] = entries;
  if (first === undefined) return false;
  if (entries.length === 1 && /^\d+$/.test(first)) {
    const hops = Number(first);
    if (hops > MOST_HOPS) return null;
    return hops === 0 ? false : hops;
  }
  return entries.every((entry) => NAMED.has(entry) || isRange(entry)) ? entries : null;
}

function isRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  // A range of all addresses would trust every client.
  return /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128);
}
