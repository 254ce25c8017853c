import { parse, v7 } from 'uuid';
import { z } from 'zod';

/** What each prefix names. An id is `<prefix>_` and 26 characters: a UUIDv7 (RFC 9562) in Crockford base32. */
export const ID_PREFIXES = {
  tenant: 'ten',
  apiKey: 'key',
  agent: 'agent',
  session: 'sess',
  turn: 'turn',
  step: 'step',
  tool: 'tool',
  dataKey: 'dek',
  toolCall: 'call',
  message: 'msg',
  event: 'evt',
  webhookEndpoint: 'wh',
  delivery: 'dlv',
  request: 'req',
  auditEntry: 'aud',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A new id of this kind. Ids of one kind sort by the time they were made. */
export function newId(kind: IdKind): string {
  return `${ID_PREFIXES[kind]}_${encodeCrockford(parse(v7()))}`;
}

/** The 128 bits as 26 base32 digits, most significant first, so that text order is time order. */
function encodeCrockford(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let digit = 0; digit < 26; digit++) {
    text = ALPHABET.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return text;
}

/** The schema of an id of this kind; anything else is refused before it reaches the database. */
export function idSchema(kind: IdKind) {
  const prefix = ID_PREFIXES[kind];
  return z
    .string()
    .regex(new RegExp(`^${prefix}_[0-7][${ALPHABET}]{25}$`), `must be an id that starts with ${prefix}_`)
    .meta({ example: `${prefix}_01kapjt9e8f7ga5vxq3c2m4n6r` });
}
