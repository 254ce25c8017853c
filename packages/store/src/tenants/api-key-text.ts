import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const PREFIX = 'tp_live_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Base62 digits of 256 bits, and of a CRC-32. */
const SECRET_DIGITS = 43;
const CHECK_DIGITS = 6;
const SHAPE = new RegExp(`^${PREFIX}[0-9A-Za-z]{${SECRET_DIGITS + CHECK_DIGITS}}$`);

/**
 * A new key: a prefix that scanners for leaked secrets can search for, 256 random bits, and a CRC-32 of both,
 * so that a scanner and the API recognise a key without asking the database.
 */
export function makeApiKey(): string {
  const body = PREFIX + base62(BigInt(`0x${randomBytes(32).toString('hex')}`), SECRET_DIGITS);
  return body + checkOf(body);
}

/** False for text that cannot be a key, so that it is not looked up. */
export function isApiKey(text: string): boolean {
  if (!SHAPE.test(text)) return false;
  return checkOf(text.slice(0, -CHECK_DIGITS)) === text.slice(-CHECK_DIGITS);
}

/**
 * The SHA-256 of a key, which is stored and looked up. The key has 256 random bits, so no slow hash is
 * needed.
 */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function checkOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECK_DIGITS);
}

function base62(value: bigint, digits: number): string {
  let text = '';
  for (let rest = value; text.length < digits; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text;
}
