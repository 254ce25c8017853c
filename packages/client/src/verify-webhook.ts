import { WebhookVerificationError } from './errors.ts';
import { isFields } from './read-problem.ts';
import type { WebhookEvent } from './wire/webhook-events.ts';
import { checkSignature, importSecret, sign, toBytes } from './webhook-signature.ts';

const TOLERANCE_SECONDS = 5 * 60;

export interface VerifyOptions {
  /** How far the time that it was sent at may be from now, either way. Default: 5 minutes. */
  toleranceSeconds?: number | undefined;
  /** Milliseconds since 1970. Default: now. */
  nowMs?: number | undefined;
}

/** As a `Request` has them, or Node. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The event of a webhook (Standard Webhooks), once it is sure who sent it. `body`: exactly as it came, before
 * anybody parsed it. `secrets`: `whsec_...`, one or, while you rotate, several. The same event may come more
 * than once, with the same `id`. Throws `WebhookVerificationError`, and `TypeError` for what is no secret.
 */
export async function verifyWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS, nowMs = Date.now() }: VerifyOptions = {},
): Promise<WebhookEvent> {
  const list = typeof secrets === 'string' ? [secrets] : secrets;
  if (list.length === 0) throw new TypeError('At least one secret is needed.');
  const keys = await Promise.all(list.map(importSecret));
  const id = readHeader(headers, 'webhook-id');
  const timestamp = readHeader(headers, 'webhook-timestamp');
  const signature = readHeader(headers, 'webhook-signature');
  if (!/^\d{1,12}$/.test(timestamp)) throw malformed('The webhook-timestamp is no time.');

  const bytes = toBytes(body);
  if (!(await checkSignature(keys, { id, timestamp, bytes }, signature))) {
    throw new WebhookVerificationError('bad_signature', 'No signature of the webhook is right.');
  }
  const age = nowMs / 1000 - Number(timestamp);
  // A tolerance that is no number, such as a setting that is missing, must not let everything through.
  if (Number.isNaN(toleranceSeconds) || Number.isNaN(age)) {
    throw new TypeError('toleranceSeconds and nowMs must be numbers.');
  }
  if (age > toleranceSeconds) throw new WebhookVerificationError('too_old', 'The webhook is too old.');
  if (-age > toleranceSeconds) {
    throw new WebhookVerificationError('too_new', 'The webhook is from the future.');
  }
  return parseEvent(bytes);
}

/** The headers that a webhook with this body would have: to test your own receiver with. */
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
  if (typeof value !== 'string' || value === '') throw malformed(`There is no ${name}.`);
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
    throw malformed('The body is no event.');
  }
  return event as unknown as WebhookEvent;
}

function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('malformed', message);
}
