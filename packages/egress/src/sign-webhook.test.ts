import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { signWebhook } from './sign-webhook.ts';

const secret = () => {
  const value = `whsec_${randomBytes(32).toString('base64')}`;
  return { value, reveal: () => value };
};
const body = JSON.stringify({ text: 'é 😀' });

test('the signature verifies with each signing secret, and with no other', () => {
  const [newest, previous, other] = [secret(), secret(), secret()];
  const headers = signWebhook([newest, previous], { id: 'evt_1', nowMs: Date.now(), body });
  expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
  for (const { value } of [newest, previous]) {
    expect(new Webhook(value).verify(body, headers)).toEqual(JSON.parse(body));
  }
  expect(() => new Webhook(other.value).verify(body, headers)).toThrow('No matching signature');
});

test('the timestamp is in whole seconds, and is signed', () => {
  const one = secret();
  const headers = signWebhook([one], { id: 'evt_1', nowMs: Date.now() + 900, body });
  expect(headers['webhook-timestamp']).toMatch(/^\d{10}$/);
  const later = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) };
  expect(() => new Webhook(one.value).verify(body, later)).toThrow();
});
