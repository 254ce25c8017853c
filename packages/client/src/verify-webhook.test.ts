import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { WebhookVerificationError } from './errors.ts';
import { signWebhook, verifyWebhook } from './verify-webhook.ts';

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const SECRET = newSecret();
const ID = 'evt_01kapjt9e8f7ga5vxq3c2m4n6r';
const BODY = JSON.stringify({
  id: ID,
  type: 'turn.completed',
  sequence_number: 7,
  created_at: '2026-11-25T16:32:39.000Z',
  data: { turn: { id: 'turn_1', output_text: 'Grüße 😀' }, truncated: false },
});

/** Signed by the `standardwebhooks` package. */
function signedByLibrary(secret = SECRET, body = BODY, at = new Date()): Record<string, string> {
  return {
    'webhook-id': ID,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(ID, at, body),
  };
}

async function codeOf(verified: Promise<unknown>): Promise<string> {
  try {
    await verified;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.code;
    throw error;
  }
  return 'verified';
}

test('a webhook signed by the standardwebhooks package is verified, and the event is typed', async () => {
  const event = await verifyWebhook(BODY, signedByLibrary(), SECRET);
  expect(event).toEqual(JSON.parse(BODY));
  if (event.type !== 'turn.completed') throw new Error('The event has another type.');
  expect(event.data.turn.output_text).toBe('Grüße 😀');
});

test('a webhook signed by signWebhook is verified by the standardwebhooks package', async () => {
  const headers = await signWebhook(BODY, { id: ID, secret: SECRET });
  expect(new Webhook(SECRET).verify(BODY, headers)).toEqual(JSON.parse(BODY));
});

test('the body may be text or bytes, and the headers those of a Request or of Node', async () => {
  const bytes = new TextEncoder().encode(BODY);
  const headers = signedByLibrary();
  const upperCase = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
  );
  for (const body of [BODY, bytes, Buffer.from(BODY), bytes.buffer]) {
    for (const each of [headers, upperCase, new Headers(headers)]) {
      expect(await codeOf(verifyWebhook(body, each, SECRET))).toBe('verified');
    }
  }
});

test('during a rotation, one of two secrets is enough, on both sides', async () => {
  const [older, newer] = [newSecret(), newSecret()];
  for (const signing of [older, newer]) {
    expect(await codeOf(verifyWebhook(BODY, signedByLibrary(signing), [newer, older]))).toBe('verified');
  }
  const both = signedByLibrary(newer);
  both['webhook-signature'] += ` v2,unknown ${signedByLibrary(older)['webhook-signature']}`;
  for (const known of [older, newer]) expect(await codeOf(verifyWebhook(BODY, both, known))).toBe('verified');
  expect(await codeOf(verifyWebhook(BODY, both, newSecret()))).toBe('bad_signature');
});

test('a webhook with any bit altered is not verified', async () => {
  const headers = signedByLibrary();
  const bytes = Buffer.from(BODY);
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const altered = Buffer.from(bytes);
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(await codeOf(verifyWebhook(altered, headers, SECRET))).toBe('bad_signature');
  }
  const later = String(Number(headers['webhook-timestamp']) + 1);
  for (const change of [
    { 'webhook-id': 'evt_2' },
    { 'webhook-timestamp': later },
    { 'webhook-signature': `v1,${btoa('x'.repeat(32))}` },
    { 'webhook-signature': 'v1,' },
    { 'webhook-signature': 'v1,****' },
    { 'webhook-signature': String(headers['webhook-signature']).replace('v1,', 'v2,') },
    { 'webhook-signature': String(headers['webhook-signature']).slice(3) },
  ]) {
    expect(await codeOf(verifyWebhook(BODY, { ...headers, ...change }, SECRET))).toBe('bad_signature');
  }
});

test('a genuine webhook outside the time tolerance is rejected', async () => {
  const headers = signedByLibrary();
  const sentMs = Number(headers['webhook-timestamp']) * 1000;
  const at = (seconds: number, toleranceSeconds?: number): Promise<string> =>
    codeOf(verifyWebhook(BODY, headers, SECRET, { nowMs: sentMs + seconds * 1000, toleranceSeconds }));
  expect(await at(300)).toBe('verified');
  expect(await at(301)).toBe('too_old');
  expect(await at(-300)).toBe('verified');
  expect(await at(-301)).toBe('too_new');
  expect(await at(11, 10)).toBe('too_old');
  expect(await at(-11, 10)).toBe('too_new');
  expect(await at(86_400, Infinity)).toBe('verified');
});

test('a tolerance or a time of NaN is a TypeError, and verifies nothing', async () => {
  for (const options of [{ toleranceSeconds: Number.NaN }, { nowMs: Number.NaN }]) {
    const verified = verifyWebhook(BODY, signedByLibrary(SECRET, BODY, new Date(0)), SECRET, options);
    await expect(verified).rejects.toThrow(TypeError);
  }
});

describe('an invalid webhook', () => {
  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
    'is malformed without %s',
    async (name) => {
      const headers = { ...signedByLibrary(), [name]: undefined };
      expect(await codeOf(verifyWebhook(BODY, headers, SECRET))).toBe('malformed');
      expect(await codeOf(verifyWebhook(BODY, { ...headers, [name]: '' }, SECRET))).toBe('malformed');
      expect(await codeOf(verifyWebhook(BODY, { ...headers, [name]: ['a', 'b'] }, SECRET))).toBe('malformed');
    },
  );

  test.each(['soon', '-1', '1e3', '1.5', ' 1', '9'.repeat(13)])(
    'is malformed with the time "%s"',
    async (time) => {
      const headers = { ...signedByLibrary(), 'webhook-timestamp': time };
      expect(await codeOf(verifyWebhook(BODY, headers, SECRET))).toBe('malformed');
    },
  );

  test.each(['', 'null', '[]', '"text"', '{}', '{"id":"evt_1"}', '{"id":1,"type":"turn.completed"}', '{'])(
    'is malformed with the signed body %s',
    async (body) => {
      expect(await codeOf(verifyWebhook(body, signedByLibrary(SECRET, body), SECRET))).toBe('malformed');
    },
  );
});

test('an invalid secret is a TypeError that does not contain it', async () => {
  for (const secret of ['', 'whsec_', 'whsec_no*base64', []]) {
    const failure = verifyWebhook(BODY, signedByLibrary(), secret);
    await expect(failure).rejects.toThrow(TypeError);
    await expect(failure).rejects.not.toThrow('no*base64');
  }
});
