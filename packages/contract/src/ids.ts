import { v7 } from 'uuid';
import { z } from 'zod';

/** The prefix of each kind of id. An id is `<prefix>_` and 26 characters: a UUIDv7 (RFC 9562) in Crockford base32. */
export const ID_PREFIXES = {
  tenant: 'ten',
  apiKey: 'key',
  agent: 'agent',
  session: 'sess',
  turn: 'turn',
  batch: 'batch',
  modelBatch: 'mbatch',
  batchedCall: 'bcall',
  userErasure: 'erase',
  schedule: 'sched',
  scheduleRun: 'run',
  step: 'step',
  tool: 'tool',
  mcpServer: 'mcp',
  dataKey: 'dek',
  toolCall: 'call',
  message: 'msg',
  file: 'file',
  event: 'evt',
  webhookEndpoint: 'wh',
  delivery: 'dlv',
  pushConfig: 'push',
  request: 'req',
  auditEntry: 'aud',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A new id of this kind. Ids of one kind sort by creation time. */
export function newId(kind: IdKind): string {
  const random = nextRandom();
  const now = Date.now();
  // RFC 9562, 6.2, method 1: within a millisecond, ids count up from the random start of the first.
  if (now > last.msecs)
    last = { msecs: now, seq: new DataView(random.buffer, random.byteOffset).getUint32(6) >>> 1 };
  else if (last.seq < MAX_SEQ) last.seq += 1;
  else last = { msecs: last.msecs + 1, seq: 0 };
  return `${ID_PREFIXES[kind]}_${encodeCrockford(v7({ random, ...last }, new Uint8Array(16)))}`;
}

/** A lower bound: it sorts before every id of this kind that was created at this time or later. */
export function idBoundary(kind: IdKind, ms: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(ms) << 16n);
  return `${ID_PREFIXES[kind]}_${encodeCrockford(bytes)}`;
}

const MAX_SEQ = 0xffffffff;
let last = { msecs: 0, seq: 0 };

/** Random bytes for many ids: requesting sixteen costs as much as requesting thousands. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;

function nextRandom(): Uint8Array {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += 16;
  return pool.subarray(used - 16, used);
}

/**
 * The 128 bits as 26 base32 digits, most significant first, so that text order is time order. It avoids BigInt,
 * which is ten times slower: a turn needs a dozen ids.
 */
function encodeCrockford(bytes: Uint8Array): string {
  let text = '';
  let rest = 0;
  // 26 digits are 130 bits: the first two are 0.
  let bits = 2;
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((rest >> bits) & 31);
    }
    rest &= (1 << bits) - 1;
  }
  return text;
}

/** The schema of an id of this kind. Anything else is rejected before it reaches the database. */
export function idSchema(kind: IdKind) {
  const prefix = ID_PREFIXES[kind];
  return z
    .string()
    .regex(new RegExp(`^${prefix}_[0-7][${ALPHABET}]{25}$`), `must be an id that starts with ${prefix}_`)
    .meta({ example: `${prefix}_01kapjt9e8f7ga5vxq3c2m4n6r` });
}
