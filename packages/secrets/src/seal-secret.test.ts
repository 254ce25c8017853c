import { createDecipheriv } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { DataKey } from './data-key.ts';
import { encodeParts } from './encode-parts.ts';
import { SecretUnreadableError } from './errors.ts';
import { dataKeyIdOf, openSecret, sealSecret } from './seal-secret.ts';

const PLACE = { tenantId: 'ten_1', name: 'github', field: 'value', version: 3 };
const PLAIN = 'a value of the test, für alle 🔑';

const key = DataKey.random('dk_1');
const envelope = sealSecret(key, PLACE, new Secret(PLAIN));

test('A sealed secret opens in its place, whatever text it is.', () => {
  for (const text of [PLAIN, '', ' ', '\ufeffwith a mark', 'x'.repeat(100_000), '\0', 'a.b.c\n']) {
    const sealed = sealSecret(key, PLACE, new Secret(text));
    expect(openSecret(key, PLACE, sealed).reveal()).toBe(text);
  }
});

test('Text that UTF-8 cannot keep is refused instead of changed.', () => {
  expect(() => sealSecret(key, PLACE, new Secret('half \ud83d of a pair'))).toThrow(TypeError);
});

test('An envelope says its format and its data key, and one value never gives the same one twice.', () => {
  const [format, id, sealed = ''] = envelope.split('.');
  expect([format, id]).toEqual(['v1', 'dk_1']);
  expect(dataKeyIdOf(envelope)).toBe('dk_1');
  expect(Buffer.from(sealed, 'base64url')).toHaveLength(12 + 16 + Buffer.byteLength(PLAIN));
  const many = Array.from({ length: 1_000 }, () => sealSecret(key, PLACE, new Secret('same')).slice(8, 24));
  expect(new Set(many).size).toBe(1_000);
});

test('The format is what is written down: AES-256-GCM, nonce and tag in front, the place bound.', () => {
  const sealed = Buffer.from(envelope.split('.')[2] ?? '', 'base64url');
  const bound = encodeParts('turnpike secret', 'v1', 'dk_1', 'ten_1', 'github', 'value', '3');
  const decipher = createDecipheriv('aes-256-gcm', key.reveal(), sealed.subarray(0, 12));
  decipher.setAAD(bound).setAuthTag(sealed.subarray(12, 28));
  expect(decipher.update(sealed.subarray(28)).toString() + decipher.final('utf8')).toBe(PLAIN);
});

test('With any single bit of its text flipped, an envelope does not open.', () => {
  const bytes = Buffer.from(envelope, 'latin1');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    expectUnreadable(flip(bytes, bit).toString('latin1'));
  }
});

test('With any single bit of nonce, tag or ciphertext flipped, an envelope does not open.', () => {
  const [format, id, encoded = ''] = envelope.split('.');
  const sealed = Buffer.from(encoded, 'base64url');
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    expectUnreadable(`${format}.${id}.${flip(sealed, bit).toString('base64url')}`);
  }
});

test('An envelope that is cut, lengthened or spelled in another way does not open.', () => {
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

test('In another tenant, name, field or version, an envelope does not open.', () => {
  const others = [
    { ...PLACE, tenantId: 'ten_2' },
    { ...PLACE, name: 'gitlab' },
    { ...PLACE, field: 'other' },
    { ...PLACE, version: 2 },
    { ...PLACE, version: 33 },
    { ...PLACE, tenantId: 'ten_1g', name: 'ithub' },
    { ...PLACE, name: 'value', field: 'github' },
    { ...PLACE, tenantId: 'github', name: 'ten_1' },
    { ...PLACE, field: 'value3', version: Number.NaN },
  ];
  for (const place of others) {
    expect(() => openSecret(key, place, envelope)).toThrow(SecretUnreadableError);
  }
});

test('Under another data key, also one of the same id, an envelope does not open.', () => {
  expect(() => openSecret(DataKey.random('dk_1'), PLACE, envelope)).toThrow(SecretUnreadableError);
  const sameBytes = new DataKey('dk_2', Buffer.from(key.reveal()));
  expect(() => openSecret(sameBytes, PLACE, envelope)).toThrow(SecretUnreadableError);
  expect(() => openSecret(sameBytes, PLACE, envelope.replace('dk_1', 'dk_2'))).toThrow(SecretUnreadableError);
});

test('A wiped data key neither seals nor opens, and its bytes are zeros.', () => {
  const short = DataKey.random('dk_3');
  const bytes = short.reveal();
  const sealed = sealSecret(short, PLACE, new Secret(PLAIN));
  short.wipe();
  expect(bytes.equals(Buffer.alloc(32))).toBe(true);
  expect(() => sealSecret(short, PLACE, new Secret(PLAIN))).toThrow('wiped');
  expect(() => openSecret(short, PLACE, sealed)).toThrow('wiped');
});

test('A data key has 32 bytes and an id that cannot be taken for another part of an envelope.', () => {
  for (const id of ['', 'a.b', 'a b', 'x'.repeat(65), 'ä']) {
    expect(() => DataKey.random(id)).toThrow(RangeError);
  }
  expect(() => new DataKey('dk', Buffer.alloc(16))).toThrow(RangeError);
});

function expectUnreadable(changed: string): void {
  let thrown: unknown;
  try {
    openSecret(key, PLACE, changed);
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
