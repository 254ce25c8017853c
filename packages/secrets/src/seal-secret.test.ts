import { createDecipheriv } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { DataKey } from './data-key.ts';
import { encodeParts } from './encode-parts.ts';
import { SecretUnreadableError } from './errors.ts';
import { dataKeyIdOf, openSecret, sealSecret } from './seal-secret.ts';

const CONTEXT = { tenantId: 'ten_1', name: 'github', field: 'value', version: 3 };
const PLAIN = 'a test value, für alle 🔑';

const key = DataKey.random('dk_1');
const envelope = sealSecret(key, CONTEXT, new Secret(PLAIN));

test('A sealed secret can be opened in its context, whatever its text.', () => {
  for (const text of [PLAIN, '', ' ', '\ufeffwith a byte order mark', 'x'.repeat(100_000), '\0', 'a.b.c\n']) {
    const sealed = sealSecret(key, CONTEXT, new Secret(text));
    expect(openSecret(key, CONTEXT, sealed).reveal()).toBe(text);
  }
});

test('Text that UTF-8 cannot represent is rejected instead of changed.', () => {
  expect(() => sealSecret(key, CONTEXT, new Secret('half \ud83d of a pair'))).toThrow(TypeError);
});

test('An envelope names its format and data key, and sealing a value twice gives different envelopes.', () => {
  const [format, id, sealed = ''] = envelope.split('.');
  expect([format, id]).toEqual(['v1', 'dk_1']);
  expect(dataKeyIdOf(envelope)).toBe('dk_1');
  expect(Buffer.from(sealed, 'base64url')).toHaveLength(12 + 16 + Buffer.byteLength(PLAIN));
  const many = Array.from({ length: 1_000 }, () => sealSecret(key, CONTEXT, new Secret('same')).slice(8, 24));
  expect(new Set(many).size).toBe(1_000);
});

test('The format is as documented: AES-256-GCM, nonce and tag first, bound to the context.', () => {
  const sealed = Buffer.from(envelope.split('.')[2] ?? '', 'base64url');
  const bound = encodeParts('turnpike secret', 'v1', 'dk_1', 'ten_1', 'github', 'value', '3');
  const decipher = createDecipheriv('aes-256-gcm', key.reveal(), sealed.subarray(0, 12));
  decipher.setAAD(bound).setAuthTag(sealed.subarray(12, 28));
  expect(decipher.update(sealed.subarray(28)).toString() + decipher.final('utf8')).toBe(PLAIN);
});

test('An envelope with any bit of its text flipped cannot be opened.', () => {
  const bytes = Buffer.from(envelope, 'latin1');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    expectUnreadable(flip(bytes, bit).toString('latin1'));
  }
});

test('An envelope with any bit of nonce, tag or ciphertext flipped cannot be opened.', () => {
  const [format, id, encoded = ''] = envelope.split('.');
  const sealed = Buffer.from(encoded, 'base64url');
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    expectUnreadable(`${format}.${id}.${flip(sealed, bit).toString('base64url')}`);
  }
});

test('An envelope that is truncated, extended or encoded differently cannot be opened.', () => {
  for (let length = 0; length < envelope.length; length++) expectUnreadable(envelope.slice(0, length));
  for (const other of [
    `${envelope}A`,
    `${envelope}=`,
    `${envelope}.`,
    ` ${envelope}`,
    `${envelope}\n`,
    '..',
  ]) {
    expectUnreadable(other);
  }
  const [format, id, encoded = ''] = envelope.split('.');
  const sealed = Buffer.from(encoded, 'base64url');
  expectUnreadable(`${format}.${id}.${sealed.subarray(0, -1).toString('base64url')}`);
  expectUnreadable(`${format}.${id}.${Buffer.concat([sealed, Buffer.of(0)]).toString('base64url')}`);
  expectUnreadable(`${format}.${id}.${sealed.toString('base64')}=`);
});

test('An envelope cannot be opened for another tenant, name, field or version.', () => {
  const others = [
    { ...CONTEXT, tenantId: 'ten_2' },
    { ...CONTEXT, name: 'gitlab' },
    { ...CONTEXT, field: 'other' },
    { ...CONTEXT, version: 2 },
    { ...CONTEXT, version: 33 },
    { ...CONTEXT, tenantId: 'ten_1g', name: 'ithub' },
    { ...CONTEXT, name: 'value', field: 'github' },
    { ...CONTEXT, tenantId: 'github', name: 'ten_1' },
    { ...CONTEXT, field: 'value3', version: Number.NaN },
  ];
  for (const context of others) {
    expect(() => openSecret(key, context, envelope)).toThrow(SecretUnreadableError);
  }
});

test('An envelope cannot be opened with another data key, even one with the same id.', () => {
  expect(() => openSecret(DataKey.random('dk_1'), CONTEXT, envelope)).toThrow(SecretUnreadableError);
  const sameBytes = new DataKey('dk_2', Buffer.from(key.reveal()));
  expect(() => openSecret(sameBytes, CONTEXT, envelope)).toThrow(SecretUnreadableError);
  expect(() => openSecret(sameBytes, CONTEXT, envelope.replace('dk_1', 'dk_2'))).toThrow(
    SecretUnreadableError,
  );
});

test('A wiped data key neither seals nor opens, and its bytes are zero.', () => {
  const short = DataKey.random('dk_3');
  const bytes = short.reveal();
  const sealed = sealSecret(short, CONTEXT, new Secret(PLAIN));
  short.wipe();
  expect(bytes.equals(Buffer.alloc(32))).toBe(true);
  expect(() => sealSecret(short, CONTEXT, new Secret(PLAIN))).toThrow('wiped');
  expect(() => openSecret(short, CONTEXT, sealed)).toThrow('wiped');
});

test('A data key must have 32 bytes, and an id that cannot be confused with another part of an envelope.', () => {
  for (const id of ['', 'a.b', 'a b', 'x'.repeat(65), 'ä']) {
    expect(() => DataKey.random(id)).toThrow(RangeError);
  }
  expect(() => new DataKey('dk', Buffer.alloc(16))).toThrow(RangeError);
});

function expectUnreadable(changed: string): void {
  let thrown: unknown;
  try {
    openSecret(key, CONTEXT, changed);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SecretUnreadableError);
  expect(thrown).toMatchObject({ code: 'secret_unreadable' });
}

function flip(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}
