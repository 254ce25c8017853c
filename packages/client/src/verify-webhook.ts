import { WebhookVerificationError } from './errors.ts';
import { isFields } from './read-problem.ts';
import type { WebhookEvent } from './wire/webhook-events.ts';
import { checkSignature, importSecret, sign, toBytes } from './webhook-signature.ts';

const TOLERANCE_SECONDS = 5 * 60;

export interface VerifyOptions {
  /** Maximum difference between the webhook's timestamp and now, in either direction. Default: 5 minutes. */
  toleranceSeconds?: number | undefined;
  /** Milliseconds since 1970. Default: now. */
  nowMs?: number | undefined;
}

/** The headers of a `Request`, or of Node's `http`. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Verifies a webhook (Standard Webhooks) and returns its event. `body`: the raw body, before any parsing. `secrets`:
 * `whsec_...`, several during a rotation. An event may arrive more than once, with the same `id`.
 * Throws `WebhookVerificationError`, and `TypeError` for an invalid secret.
 */
export async function verifyWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS, nowMs = Date.now() }: VerifyOptions = {},
): Promise<WebhookEvent> {
  const list = typeof secrets === 'string' ? [secrets] : secrets;
  if (list.length === 0) throw new TypeError('At least one secret is required.');
  const keys = await Promise.all(list.map(importSecret));
  const id = readHeader(headers, 'webhook-id');
  const timestamp = readHeader(headers, 'webhook-timestamp');
  const signature = readHeader(headers, 'webhook-signature');
  if (!/^\d{1,12}$/.test(timestamp)) throw malformed('The webhook-timestamp is not a timestamp.');

  const bytes = toBytes(body);
  if (!(await checkSignature(keys, { id, timestamp, bytes }, signature))) {
    throw new WebhookVerificationError('bad_signature', 'No signature of the webhook is valid.');
  }
  const age = nowMs / 1000 - Number(timestamp);
  // A tolerance of NaN, such as from a missing setting, must not accept everything.
  if (Number.isNaN(toleranceSeconds) || Number.isNaN(age)) {
    throw new TypeError('toleranceSeconds and nowMs must be numbers.');
  }
  if (age > toleranceSeconds) throw new WebhookVerificationError('too_old', 'The webhook is too old.');
  if (-age > toleranceSeconds) {
    throw new WebhookVerificationError('too_new', 'The webhook is from the future.');
  }
  return parseEvent(bytes);
}

/** The headers of a webhook with this body, for tests of your receiver. */
export async function signWebhook(
  body: string | Uint8Array | ArrayBuffer,
  { id, secret, nowMs = Date.now() }: { id: string; secret: string; nowMs?: number },
): Promise<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = await sign(await importSecret(secret), { id, timestamp, bytes: toBytes(body) });
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

function readHeader(headers: WebhookHeaders, name: string): string {
  const value = isHeaders(headers) ? headers.get(name) : findValue(headers, name);
  if (typeof value !== 'string' || value === '') throw malformed(`The header ${name} is missing.`);
  return value;
}

function isHeaders(headers: WebhookHeaders): headers is Headers {
  return typeof headers['get'] === 'function';
}

function findValue(headers: Exclude<WebhookHeaders, Headers>, name: string): unknown {
  const found = Object.keys(headers).find((each) => each.toLowerCase() === name);
  return found === undefined ? undefined : headers[found];
}

function parseEvent(bytes: Uint8Array): WebhookEvent {
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw malformed('The body is not JSON.');
  }
  if (!isFields(event) || typeof event['id'] !== 'string' || typeof event['type'] !== 'string') {
    throw malformed('The body is not an event.');
  }
  return event as unknown as WebhookEvent;
}

function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('malformed', message);
}
