import { createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { hideValue } from '@turnpike/telemetry';
import { z } from 'zod';
import { KEY_BYTES } from './aes-gcm.ts';
import { parseSettings } from './parse-settings.ts';

/** A master key. A `KeyObject` keeps its bytes out of logs and JSON. */
export interface MasterKey {
  id: string;
  key: KeyObject;
}

/** The first key wraps; all keys unwrap. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]];

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
const BASE64 = /^[A-Za-z0-9+/]+$/;

/**
 * `id:key,id:key`, the current one first. An id has 1 to 32 of `A-Z a-z 0-9 _ . -`; a key is 32 bytes
 * in base64 or base64url (`openssl rand -base64 32`). Every issue gives the key's position in the list. Issues
 * contain no ids either, because a key may stand where an id belongs.
 */
export const masterKeysSchema = z.string().transform((text, context): MasterKeys => {
  const { keys, mistakes } = readKeys(text);
  const [current, ...older] = keys;
  if (mistakes.length === 0 && current !== undefined) return [current, ...older];
  for (const message of mistakes) {
    // An explicit `input`, because otherwise Zod's `reportInput` would put the whole list into the issue.
    context.issues.push({ code: 'custom', message, input: undefined });
  }
  return z.NEVER;
});

/** Parses with `masterKeysSchema`. Throws `KeySettingsError` with all issues. */
export function parseMasterKeys(text: string): MasterKeys {
  return parseSettings('The master keys', masterKeysSchema, text);
}

interface ParsedKeys {
  keys: MasterKey[];
  mistakes: string[];
}

function readKeys(text: string): ParsedKeys {
  const parsed: ParsedKeys = { keys: [], mistakes: [] };
  if (text.trim() === '') {
    parsed.mistakes.push('there is no master key');
    return parsed;
  }
  const seen: { id: string; bytes: Buffer }[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const [id, bytes, mistakes] = readKey(entry.trim());
    if (id !== '' && seen.some((other) => other.id === id)) mistakes.push('has the id of an earlier key');
    if (seen.some((other) => isSame(other.bytes, bytes))) mistakes.push('has the bytes of an earlier key');
    seen.push({ id, bytes });
    parsed.mistakes.push(...mistakes.map((mistake) => `key ${index + 1} ${mistake}`));
    if (mistakes.length === 0) parsed.keys.push({ id, key: createSecretKey(bytes) });
  }
  for (const { bytes } of seen) bytes.fill(0);
  return parsed;
}

function readKey(entry: string): [id: string, bytes: Buffer, mistakes: string[]] {
  const colon = entry.indexOf(':');
  if (colon === -1) return ['', Buffer.alloc(0), [entry === '' ? 'is empty' : 'has no colon after its id']];
  const [id, encoded] = [entry.slice(0, colon).trim(), entry.slice(colon + 1).trim()];
  hideValue(encoded, true);
  const mistakes = ID.test(id) ? [] : ['has an id that is not 1 to 32 letters, digits or _ . -'];
  const bytes = decode(encoded);
  if (bytes === undefined) return [id, Buffer.alloc(0), [...mistakes, 'is not base64']];
  if (bytes.length !== KEY_BYTES) mistakes.push(`has ${bytes.length} bytes instead of ${KEY_BYTES}`);
  else if (bytes.every((byte) => byte === bytes[0])) mistakes.push('repeats a single byte');
  return [id, bytes, mistakes];
}

/** Undefined unless the text is the canonical base64 of its bytes, with or without padding. */
function decode(encoded: string): Buffer | undefined {
  const plain = encoded
    .replace(/={1,2}$/, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  if (!BASE64.test(plain)) return undefined;
  const bytes = Buffer.from(plain, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === plain ? bytes : undefined;
}

function isSame(one: Buffer, two: Buffer): boolean {
  return one.length === KEY_BYTES && one.length === two.length && timingSafeEqual(one, two);
}
