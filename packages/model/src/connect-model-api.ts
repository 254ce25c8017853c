import { Anthropic } from '@anthropic-ai/sdk';
import type { ModelAuth } from '@turnpike/contract';
import type { UpstreamFetch } from '@turnpike/egress';
import type { Secret } from '@turnpike/telemetry';
import type { ModelLimits } from './limits.ts';

export const PUBLIC_API = 'https://api.anthropic.com';

/** A Messages API at one address. It has no key: each request brings its own. */
export interface ModelApi {
  client: Anthropic;
  origin: string;
}

/**
 * The SDK, with everything set that it would else read from the environment: key, address, log level, tracing. One
 * variable, ANTHROPIC_CUSTOM_HEADERS, it reads in any case; those headers are removed before a request is sent. Its
 * retries are off, since ours are counted, and so is its log, since that quotes requests.
 */
export function connectModelApi(
  baseUrl: string,
  fetch: UpstreamFetch['fetch'],
  { totalTimeoutMs }: Pick<ModelLimits, 'totalTimeoutMs'>,
): ModelApi {
  const client = new Anthropic({
    apiKey: 'each-request-brings-its-own',
    baseURL: baseUrl,
    webhookKey: null,
    maxRetries: 0,
    timeout: totalTimeoutMs,
    logLevel: 'off',
    openTelemetry: false,
    fetch: (input, init) => fetch(input, { ...init, headers: onlyExpected(init?.headers) }),
  });
  return { client, origin: new URL(baseUrl).origin };
}

/** Headers of a request, which override the SDK's own; null removes one. */
export function requestHeaders(
  apiVersion: string,
  key: { secret: Secret; auth: ModelAuth },
): Record<string, string | null> {
  const value = key.secret.reveal();
  return {
    'anthropic-version': apiVersion,
    authorization: key.auth === 'bearer' ? `Bearer ${value}` : null,
    'x-api-key': key.auth === 'x-api-key' ? value : null,
  };
}

const EXPECTED = new Set([
  'accept',
  'anthropic-version',
  'authorization',
  'content-type',
  'user-agent',
  'x-api-key',
]);

function onlyExpected(given: RequestInit['headers']): Record<string, string> {
  const headers = given instanceof Headers ? given : new Headers(given);
  const expected: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (EXPECTED.has(name) || name.startsWith('x-stainless-')) expected[name] = value;
  }
  return expected;
}
