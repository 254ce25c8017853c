import { randomFillSync } from 'node:crypto';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const LENGTH = 22;

/** A new id in the form of the Messages API: a prefix such as `msg` and 24 random base58 characters. */
export function newSimId(prefix: 'msg' | 'msgbatch' | 'toolu' | 'srvtoolu' | 'req' | 'container'): string {
  const bytes = randomFillSync(new Uint8Array(LENGTH));
  let id = `${prefix}_01`;
  for (const byte of bytes) id += ALPHABET.charAt(byte % ALPHABET.length);
  return id;
}
